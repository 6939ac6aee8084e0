-- What a person decided about a held deposit: {verdict: 'release' | 'reject', by, reason, at, epoch}. It is about this mining of the
-- deposit alone: when its block leaves the chain and it is held again, a person decides again.
ALTER TABLE deposits ADD COLUMN decision jsonb;
