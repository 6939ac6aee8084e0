-- Reorganisations that were followed. What the books recorded without a block (a hold, a transfer) while a block was the last
-- one counts from the block after the fork, once that block has left the chain.
CREATE TABLE chain_rollbacks (
  network     text NOT NULL,
  -- The last block before, and the last block that stayed.
  from_height bigint NOT NULL,
  fork_height bigint NOT NULL,
  at          timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- Balances as of a block read the rollbacks that crossed it.
CREATE INDEX chain_rollbacks_fork ON chain_rollbacks (network, fork_height, from_height);
