/** Measures the check that finds the cause of every journal, in a ledger of deposits, holds and transfers. */

import { runCheck } from '../db/books/reconciliation/run-check.js'
import type { Sql } from '../db/connect.js'
import { loadNetworks } from '../networks/load-networks.js'
import type { BenchContext } from './context.js'
import type { Measurement } from './measurement.js'
import { createBenchMerchant } from './merchant.js'

/** Journals of the large merchant. The small one has a tenth of them. */
const JOURNALS = Number(process.env.BENCH_JOURNALS ?? 200_000)
const USERS = 1_000
/** Smallest expected share of the rate of a tenth of the journals. */
const EXPECTED = 0.7

/** Compares the journals of two merchants with what caused them, each in a database of its own. */
export async function benchCheckJournals(context: BenchContext): Promise<Measurement[]> {
  const small = await measure(context, JOURNALS / 10)
  const large = await measure(context, JOURNALS)
  return [
    {
      name: `causes of ${JOURNALS} journals`,
      unit: 'journals/s',
      ours: large,
      against: 'a tenth of them',
      reference: small,
      ratio: large / small,
      expected: EXPECTED,
    },
  ]
}

/** @returns Journals a second. */
async function measure(context: BenchContext, journals: number): Promise<number> {
  const { sql } = await context.database()
  const { id } = await createBenchMerchant(sql)
  await fill(sql, id, journals)
  const networks = await loadNetworks(undefined, {})
  const began = performance.now()
  const { findings } = await runCheck(sql, networks, id, 'journals', { networks: null })
  if (findings.differenceCount > 0) throw new Error(JSON.stringify(findings.differences[0]))
  return (journals * 1_000) / (performance.now() - began)
}

/** Stores a confirmed deposit, the hold of a withdrawal and a transfer in turn, by SQL alone. */
async function fill(sql: Sql, merchantId: string, journals: number): Promise<void> {
  await sql.begin(async (tx) => {
    await tx`SET LOCAL session_replication_role = 'replica'`
    await tx`
      CREATE TEMP TABLE caused ON COMMIT DROP AS
      SELECT n, n % 3 AS turn, 'user-' || n % ${USERS} AS owner, 'user-' || (n + 1) % ${USERS} AS other,
             'addr_' || n % ${USERS} AS address, md5(n::text) AS hex
      FROM generate_series(1, ${journals}::integer) n`
    await tx`
      INSERT INTO ledger_accounts (merchant_id, network, coin, kind, owner)
      SELECT DISTINCT ${merchantId}, 'bitcoin', 'btc', kind, CASE kind WHEN 'chain' THEN address ELSE owner END
      FROM caused, unnest(ARRAY['chain', 'available', 'reserved']) kind`
    await tx`
      INSERT INTO ledger_journals (merchant_id, idempotency_key, request_hash, type, reference, recorded_at)
      SELECT ${merchantId}, (ARRAY['dep_', 'withdrawal_', 'trf_'])[turn + 1] || hex || ':booked', '',
             (ARRAY['deposit.confirmed', 'withdrawal.held', 'transfer'])[turn + 1],
             (ARRAY['dep_', 'withdrawal_', 'trf_'])[turn + 1] || hex, now()
      FROM caused ORDER BY n`
    await tx`
      INSERT INTO deposits (id, merchant_id, network, coin, address_id, user_reference, txid, output_index, amount, status,
                            block_number, required_confirmations, history, detected_at)
      SELECT 'dep_' || hex, ${merchantId}, 'bitcoin', 'btc', address, owner, hex || hex, 0, 5, 'confirmed', n, 3, '[]', now()
      FROM caused WHERE turn = 0`
    await tx`
      INSERT INTO payouts (id, kind, merchant_id, user_reference, network, coin, amount, to_address, fee_coin, fee_estimate,
                           fee_limit, priority, stage, intent, intent_hash, initiator, approval_requirement,
                           required_confirmations, estimated_confirmation_at, expires_at, created_at, updated_at)
      SELECT 'withdrawal_' || hex, 'withdrawal', ${merchantId}, owner, 'bitcoin', 'btc', 4, 'elsewhere', 'btc', 1, 1, 'normal',
             'requested', '{}', '', 'api-key:x', '{}', 3, now(), now(), now(), now()
      FROM caused WHERE turn = 1`
    await tx`
      INSERT INTO transfers (id, merchant_id, from_user_reference, to_user_reference, network, coin, amount, amount_text,
                             reason, journal_id, created_at)
      SELECT 'trf_' || hex, ${merchantId}, owner, other, 'bitcoin', 'btc', 5, '0.00000005', 'r', journal.id, now()
      FROM caused JOIN ledger_journals journal ON journal.merchant_id = ${merchantId} AND journal.reference = 'trf_' || hex`
    await tx`
      INSERT INTO ledger_entries (account_id, account_version, journal_id, amount, balance_after, recorded_at)
      SELECT account.id, row_number() OVER (PARTITION BY account.id ORDER BY n), journal.id, side.amount,
             sum(side.amount) OVER (PARTITION BY account.id ORDER BY n), now()
      FROM caused
      JOIN ledger_journals journal ON journal.merchant_id = ${merchantId}
        AND journal.reference = (ARRAY['dep_', 'withdrawal_', 'trf_'])[turn + 1] || hex
      CROSS JOIN LATERAL (VALUES
        (0, 'chain', address, 5), (0, 'reserved', owner, -5), (1, 'available', owner, 5), (1, 'reserved', owner, -5),
        (2, 'available', owner, 5), (2, 'available', other, -5)) side (turn, kind, owner, amount)
      JOIN ledger_accounts account ON account.merchant_id = ${merchantId} AND account.kind = side.kind
        AND account.owner = side.owner
      WHERE side.turn = caused.turn`
  })
  await sql`VACUUM ANALYZE ledger_entries, ledger_journals, ledger_accounts, deposits, payouts, transfers`
}
