-- Addresses of which the chain showed payments when they were stored, so the watcher and the auditor had passed their blocks.
ALTER TABLE addresses ADD COLUMN paid_before boolean NOT NULL DEFAULT false;
CREATE INDEX addresses_paid_before ON addresses (network) WHERE paid_before;

-- Number of such addresses that the record looked for in all of its blocks.
ALTER TABLE audited_chains ADD COLUMN paid_before bigint NOT NULL DEFAULT 0;
