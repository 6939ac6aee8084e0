-- Where the checkout page links to when a payment has expired or was cancelled.
ALTER TABLE payments ADD COLUMN failure_url text;
