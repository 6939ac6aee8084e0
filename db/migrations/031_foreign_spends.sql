-- What left addresses of ours by transactions that are not ours: the journal that lets the books follow the chain, a block and merchant.
CREATE TABLE foreign_spends (
  network      text NOT NULL,
  txid         text NOT NULL,
  merchant_id  text NOT NULL REFERENCES merchants,
  block_number bigint NOT NULL,
  block_hash   text NOT NULL,
  -- Null where it moved nothing: a nonce was used, at no cost.
  journal_id   bigint REFERENCES ledger_journals,
  recorded_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (network, txid, merchant_id)
);
CREATE INDEX foreign_spends_block ON foreign_spends (network, block_number);
