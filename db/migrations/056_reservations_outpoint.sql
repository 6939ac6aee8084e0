-- A consolidation leaves out coins that a payment was signed with before; see db/treasury/list-small-outputs.ts.
CREATE INDEX utxo_reservations_outpoint ON utxo_reservations (network, txid, vout) WHERE released_at IS NOT NULL;
