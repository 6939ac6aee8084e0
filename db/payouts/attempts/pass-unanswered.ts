/**
 * Passes a request that a signer claimed and does not answer. It holds a nonce, and with it the whole queue
 * of its wallet.
 */

import type { Networks } from '../../../domain/chain/network.js'
import { postJournal } from '../../books/ledger/post-journal.js'
import type { Sql, Transaction } from '../../connect.js'
import { notify } from '../../notices.js'
import { serveEach } from '../../signing/serve-each.js'
import { movePayout } from '../move-payout.js'
import { lockWithdrawal } from '../payout-row.js'
import { proveUnpaid } from '../prove-unpaid.js'
import { releaseJournal } from '../withdrawal-journals.js'
import { freeNonces } from './allocate-nonce.js'
import { excludeAttempts } from './exclude-attempts.js'
import { reportUnanswered } from './report-unanswered.js'

/** Most that one sweep passes. The next sweep takes the next. */
const BATCH = 50

/**
 * Takes the nonce from a first attempt whose signer has not answered for so long although it is online and
 * not stopped, or that a person has put under investigation. The nonce becomes a gap: the next payouts get
 * the nonces above it, and a nonce fill uses it (`fillNonceGaps`). A fill that is not answered is passed as
 * well.
 *
 * Of each account only the lowest one is passed at a time: the signer may answer those above it in a run, once
 * they are handed out again without it. Those under investigation are all passed.
 *
 * All transactions that the signer may have signed have the same nonce, so at most one is ever mined, and the
 * payout stays as it is until one of them is final.
 *
 * @returns The number of wallets whose queues were freed.
 * @throws The first error, after each payout was tried.
 */
export async function passUnanswered(sql: Sql, networks: Networks, afterMs: number): Promise<number> {
  const rows = await sql<{ id: string; account: string; ordered: boolean }[]>`
    SELECT request.payout_id AS id, nonce.network || ' ' || nonce.address AS account,
           withdrawal.investigation IS NOT NULL AS ordered
    FROM signing_requests request
    JOIN signers signer ON signer.id = request.signer_id
    JOIN attempts attempt ON attempt.id = request.transaction_id
    JOIN payouts withdrawal ON withdrawal.id = request.payout_id
    JOIN nonces nonce ON nonce.network = attempt.network AND nonce.payout_id = request.payout_id
      AND nonce.nonce = attempt.nonce AND nonce.state = 'allocated'
    WHERE request.state = 'leased' AND attempt.state = 'built' AND attempt.network = ANY (${[...networks.keys()]})
      AND withdrawal.stage = 'pending_signature'
      AND (withdrawal.investigation IS NOT NULL
           OR signer.online AND signer.stopped IS NULL
              AND request.first_leased_at < clock_timestamp() - ${afterMs} * interval '1 millisecond')
    ORDER BY row_number() OVER (PARTITION BY nonce.network, nonce.address ORDER BY withdrawal.investigation IS NULL, nonce.nonce),
             request.first_leased_at
    LIMIT ${BATCH}`
  const found = new Map(rows.map((row) => [row.id, row]))
  const freed = new Set<string>()
  const passed = await serveEach(sql, rows, async (tx, id) => {
    const { account = '', ordered = false } = found.get(id) ?? {}
    if ((!ordered && freed.has(account)) || !(await pass(tx, id))) return false
    freed.add(account)
    return true
  })
  return passed.length
}

async function pass(tx: Transaction, id: string): Promise<boolean> {
  const row = await lockWithdrawal(tx, id)
  if (row.stage !== 'pending_signature') return false
  const [request] = await tx<{ id: string; signer_id: string; state: string }[]>`
    SELECT request.id, request.signer_id, request.state
    FROM signing_requests request JOIN attempts attempt ON attempt.id = request.transaction_id
    WHERE request.payout_id = ${id} AND attempt.state = 'built' FOR UPDATE OF request`
  // The signer has answered meanwhile.
  if (request?.state !== 'leased') return false
  const [nonce] = await freeNonces(tx, id, true)
  if (!nonce) return false
  await reportUnanswered(tx, row, 'system:nonces', {
    message:
      'A signer took a request and does not answer it. The wallet continues with the next nonces, and a transaction without a recipient will use this one',
    address: nonce.address,
    nonce: Number(nonce.nonce),
    request_id: request.id,
    signer_id: request.signer_id,
  })
  await notify(tx, 'signing_request', request.signer_id)
  return true
}

/**
 * Ends payouts whose request a signer claimed and never answered, once a final transaction of our own has
 * their nonce: what the signer may have signed can never be mined, so the hold is released. A payout under
 * investigation is left to a person.
 *
 * @returns The ids, whose workflows may be woken.
 * @throws The first error, after each payout was tried.
 */
export async function closePassed(sql: Sql, networks: Networks): Promise<string[]> {
  const rows = await sql<{ id: string }[]>`
    SELECT withdrawal.id FROM payouts withdrawal
    JOIN attempts attempt ON attempt.payout_id = withdrawal.id AND attempt.state = 'built'
    WHERE withdrawal.stage = 'pending_signature' AND withdrawal.investigation IS NULL
      AND withdrawal.network = ANY (${[...networks.keys()]})
      AND EXISTS (
        SELECT FROM attempts other
        WHERE other.from_address_id = attempt.from_address_id AND other.nonce = attempt.nonce AND other.state = 'final'
          AND other.network = attempt.network)
    ORDER BY withdrawal.id LIMIT ${BATCH}`
  return serveEach(sql, rows, (tx, id) => close(tx, networks, id))
}

async function close(tx: Transaction, networks: Networks, id: string): Promise<boolean> {
  const row = await lockWithdrawal(tx, id)
  if (row.stage !== 'pending_signature' || row.investigation) return false
  const proof = await proveUnpaid(tx, row)
  if (!proof.proven || proof.by !== 'conflict_final') return false
  await excludeAttempts(tx, id)
  await postJournal(tx, releaseJournal(row))
  await movePayout(tx, networks, row, {
    to: 'failed',
    actor: 'system:nonces',
    cause: 'a transaction without a recipient used its nonce',
    failure: {
      code: 'SIGNER_UNANSWERED',
      message:
        'The signer took the request and never answered. A final transaction without a recipient has its nonce, so it can never be paid',
    },
    audit: { conflict: proof.conflict },
  })
  return true
}
