-- What excludes a transaction of ours for good, as the scanned chain shows it.

-- The transaction that spent the outpoint in a block, and where: a deposit whose input went elsewhere can never come back, and
-- neither can what spends that deposit.
ALTER TABLE deposit_inputs ADD COLUMN spent_by text, ADD COLUMN spent_at_block bigint;
CREATE INDEX deposit_inputs_spent_block ON deposit_inputs (network, spent_at_block) WHERE spent_at_block IS NOT NULL;

-- EVM: the scanned block at which the account's nonce was past that of the attempt. UTXO: the block that excluded a payment which was
-- given up. A reorganisation below that block takes the verdict back.
CREATE INDEX transactions_conflict ON transactions (network, conflict_height) WHERE conflict_height IS NOT NULL;
