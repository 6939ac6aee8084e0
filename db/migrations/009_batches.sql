-- Batches: many payments under one intent and one round of approvals. The transactions that pay them are rows of `withdrawals`.

CREATE TABLE batches (
  id                   text PRIMARY KEY,
  merchant_id          text NOT NULL REFERENCES merchants,
  external_id          text,
  user_reference       text,
  network              text NOT NULL,
  coin                 text NOT NULL,
  -- Base units of all items, as asked for.
  amount               numeric(78,0) NOT NULL CHECK (amount > 0),
  item_count           integer NOT NULL,
  priority             text NOT NULL CHECK (priority IN ('low', 'normal', 'high', 'urgent')),
  fee_coin             text NOT NULL,
  -- Base units of fee_coin: the sums of the parts'.
  fee_estimate         numeric(78,0) NOT NULL,
  fee_limit            numeric(78,0) NOT NULL,
  -- `approved` until every part has ended, then `completed`; the public status says more, and is kept to notice its changes.
  stage                text NOT NULL
                       CHECK (stage IN ('requested', 'pending_review', 'pending_approval', 'approved', 'completed',
                                        'rejected', 'expired', 'cancelled')),
  status               text NOT NULL,
  failure_code         text,
  failure_message      text,
  intent               jsonb NOT NULL,
  intent_hash          text NOT NULL,
  -- Person (or API key without one) that asked.
  initiator            text NOT NULL,
  approval_requirement jsonb NOT NULL,
  risk                 jsonb,
  review_required      boolean NOT NULL DEFAULT false,
  review               jsonb,
  history              jsonb NOT NULL DEFAULT '[]',
  expires_at           timestamptz NOT NULL,
  created_at           timestamptz NOT NULL DEFAULT now(),
  updated_at           timestamptz NOT NULL DEFAULT now(),
  completed_at         timestamptz,
  workflow_started_at  timestamptz,
  UNIQUE (merchant_id, external_id)
);
CREATE INDEX batches_merchant ON batches (merchant_id, id DESC);
CREATE INDEX batches_unstarted ON batches (created_at) WHERE workflow_started_at IS NULL;

-- One payment of a batch. What becomes of it is its part's stage, unless it was taken out of the part (`failure_code`).
CREATE TABLE batch_items (
  id              text PRIMARY KEY,
  batch_id        text NOT NULL REFERENCES batches,
  -- From 0, as in the request and in the outputs of the intent.
  index           integer NOT NULL,
  to_address      text NOT NULL,
  -- Base units, and the text in whole coins that was sent.
  amount          numeric(78,0) NOT NULL CHECK (amount > 0),
  amount_sent     text NOT NULL,
  part_id         text NOT NULL REFERENCES withdrawals,
  -- On the sanctions list when it was asked for: then a person looked at it.
  sanctioned      boolean NOT NULL DEFAULT false,
  -- {state: pending | approved | rejected | review, reason, reference, at}; null: no service was to be asked.
  screening       jsonb,
  failure_code    text,
  failure_message text,
  UNIQUE (batch_id, index)
);
CREATE INDEX batch_items_part ON batch_items (part_id);
CREATE INDEX batch_items_destination ON batch_items (to_address);
