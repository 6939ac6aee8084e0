-- Below this height only those headers are kept that something of ours stands on, and one in so many besides.
ALTER TABLE chain_cursors ADD COLUMN pruned_to bigint;
CREATE INDEX transactions_block ON transactions (network, block_number);
