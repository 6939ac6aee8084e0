-- Time at which the first attempt of a delivery began in its workflow's first task. The history does not show such an
-- attempt until it ends, so the row does: if the process dies meanwhile, another one knows that the endpoint may have
-- received the event.
ALTER TABLE webhook_deliveries ADD COLUMN first_attempt_at timestamptz;
