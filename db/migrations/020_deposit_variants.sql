-- On EVM networks the id of a transaction does not fix what its logs and inner calls pay: mined again, the same position may pay
-- another address or coin. Each is a deposit of its own, and of those at one position only one can be under way.

ALTER TABLE deposits
  -- 0 for what was first seen at the position, 1 for what paid another address or coin there later, and so on.
  ADD COLUMN variant integer NOT NULL DEFAULT 0,
  -- When the node was last asked what became of a transaction that is in no mempool.
  ADD COLUMN absence_checked_at timestamptz;
ALTER TABLE deposits DROP CONSTRAINT deposits_network_txid_output_index_key;
ALTER TABLE deposits ADD CONSTRAINT deposits_position UNIQUE (network, txid, output_index, variant);
CREATE UNIQUE INDEX deposits_paid_once ON deposits (network, txid, output_index) WHERE status NOT IN ('reverted', 'replaced');
-- Those that a block may still end: its transactions are compared with them.
CREATE INDEX deposits_unmined ON deposits (network, txid) WHERE status IN ('detected', 'reverted');
