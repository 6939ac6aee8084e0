-- What the workers found out about each node of a network, for /readyz and /metrics: one row an entry of `rpc_urls`.
CREATE TABLE chain_nodes (
  network  text NOT NULL,
  -- Place in `rpc_urls`, from 1.
  endpoint integer NOT NULL CHECK (endpoint > 0),
  state    text NOT NULL CHECK (state IN ('ok', 'unreachable', 'wrong_chain', 'no_transaction_lookup', 'unknown_fee')),
  -- Why it is not used, for people and without credentials; null when it is.
  reason   text,
  -- When it came into this state, and when it was last looked at.
  since    timestamptz NOT NULL DEFAULT now(),
  seen_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (network, endpoint),
  CHECK ((state = 'ok') = (reason IS NULL))
);
