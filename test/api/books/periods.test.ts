/** The close of months, over HTTP: two people, one transaction, and windows that nothing enters afterwards. */

import { createHash } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { postJournals } from '../../../db/books/ledger/post-journal.js'
import { readTrialBalance } from '../../../db/books/periods/read-trial-balance.js'
import { requestClose } from '../../../db/books/periods/request-close.js'
import { rememberCoins } from '../../../db/chain/remember-coins.js'
import { connect } from '../../../db/connect.js'
import { advanceControlChange } from '../../../db/controls/changes/advance-control-change.js'
import { createApprover } from '../../../db/merchants/create-approver.js'
import { createPerson } from '../../../db/merchants/create-person.js'
import { newId } from '../../../db/new-id.js'
import { monthOf, periodAfter, periodAt } from '../../../domain/books/period.js'
import { canonicalJson } from '../../../domain/canonical-json.js'
import type { Network } from '../../../domain/chain/network.js'
import { parseAmount } from '../../../domain/money.js'
import type { Period } from '../../../wire/period.js'
import { dateJournals } from '../../stage/date-journals.js'
import { type Books, openBooks } from '../../stage/open-books.js'
import { parseCsv } from '../../stage/parse-csv.js'
import { startTestApi, type TestApi } from '../../stage/test-api.js'

const THIS = periodAt(new Date())
const LAST = periodAfter(THIS, -1)
const NEXT = periodAfter(THIS)
/** An instant in the middle of last month. */
const MIDDLE = new Date(monthOf(LAST).from.getTime() + 14 * 86_400_000)
const WHOLE = 100_000_000n

let api: TestApi
/** Ends a month early, as the local stack may. */
let early: TestApi
beforeAll(async () => {
  api = await startTestApi()
  early = await startTestApi({ KEYTURN_PERIOD_CLOSE_EARLY: 'true' })
  for (const { database } of [api, early]) {
    const { sql } = database
    for (let height = 0; height <= 20; height++)
      await sql`
        INSERT INTO chain_blocks (network, height, hash, parent_hash, time)
        VALUES ('bitcoin', ${height}, ${`hash-${height}`}, ${`hash-${height - 1}`},
                ${new Date(monthOf(THIS).from.getTime() + (height - 15) * 60_000)})`
    await sql`INSERT INTO chain_cursors (network, height, block_hash, head_height) VALUES ('bitcoin', 20, 'hash-20', 20)`
  }
})
afterAll(async () => {
  await api?.database.drop()
  await early?.database.drop()
})

let books: Books
beforeEach(async () => {
  books = await openBooks(api, monthOf(LAST).from)
})

async function read(period: string, of = books): Promise<Period> {
  const { status, json } = await of.call('GET', `/periods/${period}`)
  expect(status).toBe(200)
  return json.data
}
const lineOf = async (period: string, of = books) =>
  (await of.call('GET', `/statements/${period}`)).json.data.lines.find(
    ({ network }: { network: string }) => network === 'bitcoin',
  )
const codeOf = ({ status, json }: { status: number; json: { error?: { code: string } } }) => [
  status,
  json.error?.code,
]
const units = (text: string): bigint =>
  text.startsWith('-') ? -parseAmount(text.slice(1), 8) : parseAmount(text, 8)

/** Books a deposit of alice last month, and one of the merchant's own. */
async function business(of = books, at: Date | null = MIDDLE): Promise<bigint> {
  const deposit = await of.post(
    'deposit.confirmed',
    { 'chain:a1': 3n * WHOLE, 'available:alice': -3n * WHOLE },
    { height: 5, ...(at ? { at } : {}) },
  )
  await of.post(
    'deposit.confirmed',
    { 'chain:a2': 1n * WHOLE, available: -1n * WHOLE },
    { height: 6, ...(at ? { at } : {}) },
  )
  return deposit
}

test('closes a month by two approvals: sums, block and hash are what two people signed', async () => {
  await business()
  const asked = await books.close(LAST)
  expect(asked.status).toBe(202)
  expect(asked.json.data).toMatchObject({
    period: LAST,
    status: 'closing',
    approval: { path: `/periods/${LAST}`, required: 2, intent_hash: expect.stringMatching(/^[0-9a-f]{64}$/) },
  })
  expect((await books.call('GET', `/periods/${LAST}/intent`)).json.data.intent).toMatchObject({
    kind: 'period_close',
    period: LAST,
    from: monthOf(LAST).from.toISOString(),
    to: monthOf(LAST).to.toISOString(),
  })
  const [asker, first] = books.people
  expect(codeOf(await books.decide(LAST, asker))).toEqual([403, 'INITIATOR_CANNOT_APPROVE'])
  expect((await books.decide(LAST, first)).status).toBe(201)
  expect(await books.advance(LAST)).toBe('pending_approval')
  expect((await read(LAST)).status).toBe('closing')
  expect((await books.decide(LAST, books.people[2])).status).toBe(201)
  // Both have approved; the reconciliation that the close asked for has not ended.
  expect(await books.advance(LAST)).toBe('pending_approval')
  await books.reconcile(LAST)
  expect(await books.advance(LAST)).toBe('effective')

  const closed = await read(LAST)
  const depth = (api.dependencies.networks.get('bitcoin')?.confirmations ?? 0) - 1
  expect(closed).toMatchObject({ status: 'closed', approval: null, adjustments: [] })
  expect(closed.checklist.every(({ ok }) => ok)).toBe(true)
  expect(closed.proof).toEqual([
    { network: 'bitcoin', block_number: 14 - depth, block_hash: `hash-${14 - depth}` },
  ])
  expect(closed.trial_balance.map(({ class: name, account, balance }) => [name, account, balance])).toEqual([
    ['liability', 'available', '-3'],
    ['equity', 'available', '-1'],
    ['asset', 'chain', '4'],
  ])
  expect(closed.trial_balance.reduce((sum, { balance }) => sum + units(balance), 0n)).toBe(0n)
  const { period, trial_balance, proof } = closed
  const hash = createHash('sha256').update(canonicalJson({ period, trial_balance, proof })).digest('hex')
  expect(closed.hash).toBe(hash)
  expect(asked.json.data.hash).toBe(hash)
  const statement = (await books.call('GET', `/statements/${LAST}`)).json.data
  expect(statement).toMatchObject({ provisional: false, proof })
  expect(await lineOf(LAST)).toMatchObject({ opening: '0', in: '4', closing: '4' })

  const { json } = await books.call('GET', '/periods')
  expect(json.data.map(({ period, status }: Period) => [period, status])).toEqual([
    [THIS, 'open'],
    [LAST, 'closed'],
  ])
  const actions = await api.database.sql<{ action: string }[]>`
    SELECT action FROM audit_log WHERE merchant_id = ${books.merchantId} AND action LIKE 'period%' ORDER BY position`
  expect(actions.map(({ action }) => action)).toEqual([
    'period_close.change_requested',
    'period_close.approval_given',
    'period_close.approval_given',
    'period.closed',
    'period_close.change_effective',
  ])
})

test('says how much lay outside the books at the block of the proof, and keeps it with the closed month', async () => {
  const { sql } = early.database
  const shop = await openBooks(early, monthOf(LAST).from)
  await business(shop)
  await early.enrol(shop.merchantId)
  const made = await shop.call('POST', '/addresses', { user_reference: 'alice', network: 'bitcoin' })
  const small = (block: number, amount: bigint) => sql`
    INSERT INTO small_transfers (network, block_number, address_id, coin, transfers, amount)
    VALUES ('bitcoin', ${block}, ${made.json.data.id}, 'btc', 1, ${amount})`
  await small(5, 546n)
  await small(20, 1_000n)
  const outside = async () => (await shop.call('GET', `/statements/${LAST}`)).json.data.outside_books
  const beside = [{ network: 'bitcoin', coin: 'btc', amount: '0.00000546' }]
  expect(await outside()).toEqual(beside)
  await shop.close(LAST)
  expect(await shop.approve(LAST)).toBe('effective')
  await sql`DELETE FROM small_transfers WHERE address_id = ${made.json.data.id}`
  expect(await outside()).toEqual(beside)
  const { status } = await shop.reopen(LAST)
  expect([status, await shop.approve(LAST)]).toEqual([202, 'effective'])
  expect(await outside()).toEqual([])
})

test('books what belongs to a closed month in the next one, as an adjustment, and leaves the closed one as it is', async () => {
  const deposit = await business()
  await books.close(LAST)
  await books.approve(LAST)
  const before = [await read(LAST), await lineOf(LAST)]

  const undone = await books.reverse(deposit)
  const missed = await books.post(
    'deposit.confirmed',
    { 'chain:a3': 7n, 'available:bob': -7n },
    { height: 2 },
  )
  await books.post('deposit.confirmed', { 'chain:a3': 9n, 'available:bob': -9n }, { height: 20 })
  expect([await read(LAST), await lineOf(LAST)]).toEqual(before)
  const now = await read(THIS)
  expect(now.adjustments.map(({ journal_id, type }) => [journal_id, type])).toEqual([
    [String(undone), 'deposit.reverted'],
    [String(missed), 'deposit.confirmed'],
  ])
  expect(await lineOf(THIS)).toMatchObject({
    opening: '4',
    in: '0.00000009',
    adjustments: '-2.99999993',
    closing: '1.00000016',
  })
})

test('says how many adjustments a month has where it lists the first thousand, and writes all into the file', async () => {
  await business()
  await books.close(LAST)
  await books.approve(LAST)
  expect(await read(THIS)).toMatchObject({ adjustments_total: 0, adjustments_truncated: false })
  const count = 1_001
  const asset = { network: 'bitcoin', coin: 'btc' }
  await postJournals(
    api.database.sql,
    books.merchantId,
    Array.from({ length: count }, (_, index) => ({
      idempotencyKey: `missed:${index}`,
      type: 'deposit.confirmed',
      reference: index === 0 ? '=1+1' : `dep_${index}`,
      height: 2,
      entries: [
        { ...asset, kind: 'chain', owner: 'a3', amount: 1n },
        { ...asset, kind: 'available', owner: 'bob', amount: -1n },
      ],
    })),
  )
  const { adjustments, ...now } = await read(THIS)
  expect(now).toMatchObject({ adjustments_total: count, adjustments_truncated: true })
  expect(adjustments).toHaveLength(1_000)
  const { json: text } = await books.call('GET', `/statements/${THIS}?format=csv`)
  const lines = parseCsv(text)
  const listed = lines.filter(([first]) => first === 'adjustment')
  expect(listed).toHaveLength(count)
  const [first] = adjustments
  expect(listed[0]).toEqual([
    'adjustment',
    first?.journal_id,
    'deposit.confirmed',
    "'=1+1",
    'bitcoin',
    first?.recorded_at,
  ])
  // They stand above the table.
  expect(lines.findIndex(([cell]) => cell === 'network')).toBeGreaterThan(
    lines.lastIndexOf(listed.at(-1) ?? []),
  )
})

test('notes what belongs to a month whose close waits for its approvals as an adjustment of the next one', async () => {
  await business()
  await books.close(LAST)
  const missed = await books.post(
    'deposit.confirmed',
    { 'chain:a3': 7n, 'available:bob': -7n },
    { height: 2 },
  )
  expect(await books.approve(LAST)).toBe('effective')
  expect((await read(THIS)).adjustments.map(({ journal_id }) => journal_id)).toEqual([String(missed)])
  expect(await lineOf(THIS)).toMatchObject({ in: '0', adjustments: '0.00000007', closing: '4.00000007' })
})

test('returns a month to what it was when one person rejects its close, and closes it by another request', async () => {
  await business()
  await books.close(LAST)
  expect((await books.decide(LAST, books.people[1], 'reject')).status).toBe(201)
  expect(await books.advance(LAST)).toBe('rejected')
  expect(await read(LAST)).toMatchObject({ status: 'open', hash: null, approval: null })
  const fences = await api.database.sql`SELECT 1 FROM ledger_fences WHERE merchant_id = ${books.merchantId}`
  expect(fences).toHaveLength(0)
  expect(codeOf(await books.decide(LAST, books.people[2]))).toEqual([409, 'ALREADY_DECIDED'])

  expect((await books.close(LAST)).status).toBe(202)
  expect(await books.approve(LAST)).toBe('effective')
  expect((await read(LAST)).status).toBe('closed')
})

test('shows what a rejected or re-opened close noted as an adjustment in the usual column until the month closes again', async () => {
  await business()
  await books.close(LAST)
  await books.post('deposit.confirmed', { 'chain:a3': 7n, 'available:bob': -7n }, { height: 2 })
  expect(await lineOf(THIS)).toMatchObject({ in: '0', adjustments: '0.00000007' })
  await books.decide(LAST, books.people[1], 'reject')
  await books.advance(LAST)
  expect(await lineOf(THIS)).toMatchObject({ in: '0.00000007', adjustments: '0', closing: '4.00000007' })
  expect((await read(THIS)).adjustments).toEqual([])

  await books.close(LAST)
  expect(await books.approve(LAST)).toBe('effective')
  await books.reopen(LAST)
  expect(await books.approve(LAST)).toBe('effective')
  // A booking after a re-opening has the time of its posting, which lies in the month that runs.
  await books.post('deposit.confirmed', { 'chain:a3': 5n, 'available:bob': -5n }, { height: 2 })
  expect(await lineOf(LAST)).toMatchObject({ in: '4', adjustments: '0', closing: '4' })
  expect(await lineOf(THIS)).toMatchObject({ in: '0.00000012', adjustments: '0', closing: '4.00000012' })
})

test('proves a month below each payout that is mined and not settled, however old its block is', async () => {
  const { sql } = api.database
  await business()
  const final = 14 - (api.dependencies.networks.get('bitcoin')?.confirmations ?? 0) + 1
  const proofOf = async () => (await read(LAST)).proof.map(({ block_number }) => block_number)
  expect(await proofOf()).toEqual([final])
  const id = newId('tx')
  await sql`
    INSERT INTO attempts (id, merchant_id, subject_type, payout_id, number, network, coin, amount, max_fee, state, payload,
                          txid, block_number, block_hash)
    VALUES (${id}, ${books.merchantId}, 'withdrawal', ${newId('withdrawal')}, 1, 'bitcoin', 'btc', 1, 1, 'mined', '{}', ${id},
            ${final - 2}, ${`hash-${final - 2}`})`
  expect(await proofOf()).toEqual([final - 3])
  await sql`UPDATE attempts SET state = 'final' WHERE id = ${id}`
  expect(await proofOf()).toEqual([final])
})

test('refuses a close whose statement does not close with the balance on addresses that was signed', async () => {
  const { sql } = api.database
  const deposit = await business()
  await books.close(LAST)
  // Only a change of the database behind the platform can do this: the entry moved the account by another amount.
  await sql.begin(async (tx) => {
    await tx`SET LOCAL session_replication_role = 'replica'`
    await tx`UPDATE ledger_entries SET amount = amount + 1 WHERE journal_id = ${deposit} AND amount > 0`
  })
  expect(await books.approve(LAST)).toBe('superseded')
  const [change] = await sql<{ cause: string }[]>`
    SELECT history -> -1 ->> 'cause' AS cause FROM control_changes WHERE merchant_id = ${books.merchantId}`
  expect(change?.cause).toContain('does not close with the signed balance')
})

test('wants no withdrawal to wait for approvals beyond its expiry', async () => {
  const { sql } = api.database
  const id = newId('withdrawal')
  await sql.begin(async (tx) => {
    await tx`SET LOCAL session_replication_role = 'replica'`
    await tx`
      INSERT INTO payouts (id, merchant_id, network, coin, amount, to_address, fee_coin, fee_estimate, fee_limit, stage,
                           intent, intent_hash, initiator, required_confirmations, estimated_confirmation_at, created_at, expires_at)
      VALUES (${id}, ${books.merchantId}, 'bitcoin', 'btc', 1, 'bcrt1', 'btc', 1, 1, 'pending_approval', '{}', '', 'test', 1,
              now(), ${MIDDLE}, ${new Date(MIDDLE.getTime() + 3_600_000)})`
  })
  const red = async () => (await read(LAST)).checklist.filter(({ ok }) => !ok)
  expect(await red()).toEqual([{ name: 'open_withdrawals', ok: false, found: 1, examples: [id] }])
  expect((await books.close(LAST)).status).toBe(409)
  await sql`UPDATE payouts SET expires_at = now() + interval '1 hour' WHERE id = ${id}`
  expect(await red()).toEqual([])
})

test('lets a key that may ask for a close read the months and their statements', async () => {
  const key = await api.newKey({ merchantId: books.merchantId, scopes: ['reconciliation'] })
  for (const path of ['/periods', `/periods/${LAST}`, `/statements/${LAST}`])
    expect((await books.call('GET', path, undefined, key)).status).toBe(200)
})

test('refuses a month that runs or has not begun, that is closed or closing, or lies before the books', async () => {
  expect(codeOf(await books.close(THIS))).toEqual([409, 'INVALID_STATE'])
  expect(codeOf(await books.close(NEXT))).toEqual([409, 'INVALID_STATE'])
  expect(codeOf(await books.close(periodAfter(LAST, -1)))).toEqual([404, 'NOT_FOUND'])
  expect(codeOf(await books.close('2026-13'))).toEqual([400, 'VALIDATION_FAILED'])
  await books.close(LAST)
  expect(codeOf(await books.close(LAST))).toEqual([409, 'INVALID_STATE'])
  await books.approve(LAST)
  expect(codeOf(await books.close(LAST))).toEqual([409, 'INVALID_STATE'])
  expect(codeOf(await books.call('GET', `/periods/${NEXT}`))).toEqual([404, 'NOT_FOUND'])
})

test('refuses a month whose checklist is red, and says what speaks against it', async () => {
  const { sql } = api.database
  const older = await openBooks(api, monthOf(periodAfter(LAST, -1)).from)
  const refused = await older.close(LAST)
  expect(codeOf(refused)).toEqual([409, 'INVALID_STATE'])
  const red = ({ json }: typeof refused) =>
    json.error.details.checklist.filter(({ ok }: { ok: boolean }) => !ok)
  expect(red(refused)).toEqual([{ name: 'earlier_periods', ok: false, found: 1, examples: [] }])

  const [exception] = await sql<{ id: string }[]>`
    INSERT INTO exceptions (id, merchant_id, kind, detail, cause, severity, reason, subject_type, subject_id, due_at, created_at,
                            updated_at)
    VALUES (${newId('exc')}, ${books.merchantId}, 'stuck', 'stuck', 'test', 'low', 'Test', 'payment', 'pay_1',
            now() - interval '1 minute', ${MIDDLE}, now())
    RETURNING id`
  const id = exception?.id ?? ''
  expect(red(await books.close(LAST))).toEqual([
    { name: 'overdue_exceptions', ok: false, found: 1, examples: [id] },
  ])
  await sql`UPDATE exceptions SET due_at = now() + interval '1 hour' WHERE id = ${id}`
  await books.post('test', { 'network_fee:': 5n, 'available:bob': -5n }, { at: MIDDLE })
  expect(red(await books.close(LAST))).toMatchObject([{ name: 'clearing_accounts', found: 1 }])
  await books.post('test', { 'network_fee:': -5n, 'available:bob': 5n })
  expect((await books.close(LAST)).status).toBe(202)
  // What turns red while people decide refuses the close in the end.
  await sql`UPDATE exceptions SET due_at = now() WHERE id = ${id}`
  expect(await books.approve(LAST)).toBe('superseded')
  const open = await read(LAST)
  expect(open).toMatchObject({ status: 'open', hash: null })
  expect(open.checklist.filter(({ ok }) => !ok)).toMatchObject([{ name: 'overdue_exceptions' }])
  const [change] = await sql<{ cause: string }[]>`
    SELECT history -> -1 ->> 'cause' AS cause FROM control_changes WHERE merchant_id = ${books.merchantId}`
  expect(change?.cause).toContain('overdue_exceptions')
})

test('wants what users have reserved to be no claim, and fees to be charged, at the end of the month and now', async () => {
  const red = async () => (await read(LAST)).checklist.filter(({ ok }) => !ok)
  for (const [account, kind] of [
    ['reserved:bob', 'reserved'],
    ['network_fee:', 'network_fee'],
  ] as const) {
    const wrong = { [account]: 5n, 'available:bob': -5n }
    const right = { [account]: -5n, 'available:bob': 5n }
    // Wrong since the end: that belongs to the month that runs.
    await books.post('test', wrong)
    expect(await red()).toEqual([])
    await books.post('test', right)
    await books.post('test', wrong, { at: new Date(MIDDLE.getTime() + 3_000) })
    await books.post('test', right, { at: new Date(MIDDLE.getTime() + 4_000) })
    expect(await red()).toEqual([])
    // Wrong at the end and now, also where a booking came in between.
    await books.post('test', wrong, { at: new Date(MIDDLE.getTime() + 5_000) })
    const item = { name: 'clearing_accounts', ok: false, found: 1, examples: [`bitcoin btc ${kind}`] }
    expect(await red()).toEqual([item])
    await books.post('test', wrong)
    expect(await red()).toEqual([item])
    expect((await books.close(LAST)).status).toBe(409)
    // Put right since the end.
    await books.post('test', { [account]: -10n, 'available:bob': 10n })
    expect(await red()).toEqual([])
  }
})

test('closes a month beside what was found or went wrong only in a later one', async () => {
  const { sql } = api.database
  await sql`
    INSERT INTO exceptions (id, merchant_id, kind, detail, cause, severity, reason, subject_type, subject_id, due_at, created_at,
                            updated_at)
    VALUES (${newId('exc')}, ${books.merchantId}, 'stuck', 'stuck', 'test', 'low', 'Test', 'payment', 'pay_1', now(),
            now() - interval '1 second', now())`
  const journal = await books.post('deposit.confirmed', { 'chain:a1': 5n, 'available:ann': -5n })
  await sql`
    INSERT INTO merchant_orders (merchant_id, order_id, payment_id, network, coin, amount, state, at, upload_id)
    VALUES (${books.merchantId}, 'order-1', '', 'bitcoin', 'btc', 1, 'paid', now(), 'upl_1')`
  const older = await books.post(
    'deposit.confirmed',
    { 'chain:a2': 5n, 'available:ben': -5n },
    { at: MIDDLE },
  )
  const differ = async (subjects: readonly { type: string; id: string }[]) => {
    await books.reconcile(LAST, 'journals')
    for (const [index, subject] of subjects.entries())
      await sql`
        INSERT INTO reconciliation_differences (run_id, check_name, due, number, data)
        SELECT run_id, 'journals', true, ${index + 1}, ${sql.json({ subject, expected: '1', actual: '2' })}
        FROM periods WHERE merchant_id = ${books.merchantId} AND period = ${LAST}`
    await sql`
      UPDATE reconciliation_checks SET differences = ${subjects.length}
      WHERE run_id = (SELECT run_id FROM periods WHERE merchant_id = ${books.merchantId} AND period = ${LAST})`
  }
  const later = [
    { type: 'journal', id: String(journal) },
    { type: 'order', id: 'order-1' },
    { type: 'deposit', id: newId('dep') },
  ]
  for (const [subjects, state] of [
    [[...later, { type: 'journal', id: String(older) }], 'superseded'],
    [[...later, { type: 'deposit', id: 'dep_00000000000070000000000000000000' }], 'superseded'],
    [[...later, { type: 'account', id: newId('dep') }], 'superseded'],
    [later, 'effective'],
  ] as const) {
    expect((await books.close(LAST)).status).toBe(202)
    for (const person of books.people.slice(1)) await books.decide(LAST, person)
    await differ(subjects)
    expect(await books.advance(LAST)).toBe(state)
    await sql`
      INSERT INTO reconciliation_runs (id, merchant_id, cause, scope, status, created_by, finished_at)
      VALUES (${newId('rec')}, ${books.merchantId}, 'request', '{internal}', 'clean', 'test', now())`
  }
})

test('wants payments to be over in time, and what came for an ended one to be handled', async () => {
  const { sql } = api.database
  await api.enrol(books.merchantId)
  const payment = { user_reference: 'alice', network: 'bitcoin', coin: 'btc', amount: '1' }
  const { json } = await books.call('POST', '/payments', payment)
  const id = json.data.payment_id
  await sql`
    UPDATE payments SET created_at = ${MIDDLE}, expires_at = ${new Date(MIDDLE.getTime() + 3_600_000)} WHERE id = ${id}`
  const red = async () => (await read(LAST)).checklist.filter(({ ok }) => !ok)
  expect(await red()).toEqual([{ name: 'open_payments', ok: false, found: 1, examples: [id] }])
  expect((await books.close(LAST)).status).toBe(409)
  await sql`UPDATE payments SET status = 'expired', ended_at = expires_at WHERE id = ${id}`
  expect(await red()).toEqual([])
  // A payer can keep a transaction out of blocks as long as the payer wants.
  const deposit = newId('dep')
  await sql`
    INSERT INTO deposits (id, merchant_id, network, coin, address_id, txid, output_index, amount, status,
                          required_confirmations, payment_id, detected_at)
    SELECT ${deposit}, merchant_id, 'bitcoin', 'btc', id, ${deposit}, 0, 1, 'detected', 3, ${id}, ${MIDDLE}
    FROM addresses WHERE merchant_id = ${books.merchantId} LIMIT 1`
  expect(await red()).toEqual([])
  await sql`UPDATE deposits SET status = 'unconfirmed', block_number = 20 WHERE id = ${deposit}`
  expect(await red()).toEqual([{ name: 'ended_payments', ok: false, found: 1, examples: [id] }])
  // What came after the end belongs to the month that runs.
  await sql`UPDATE deposits SET detected_at = now() WHERE id = ${deposit}`
  expect(await red()).toEqual([])
  await sql`UPDATE deposits SET status = 'success' WHERE id = ${deposit}`
  expect(await red()).toEqual([])
  await sql`
    INSERT INTO exceptions (id, merchant_id, kind, detail, cause, severity, reason, subject_type, subject_id, payment_id,
                            due_at, created_at, updated_at)
    VALUES (${newId('exc')}, ${books.merchantId}, 'late', 'late', 'test', 'low', 'Test', 'payment', ${id}, ${id},
            now() + interval '1 hour', ${MIDDLE}, now())`
  expect(await red()).toEqual([{ name: 'ended_payments', ok: false, found: 1, examples: [id] }])
})

test('shows a closed month with every line also when the configuration no longer has the network', async () => {
  await business()
  await rememberCoins(api.database.sql, api.dependencies.networks)
  await books.close(LAST)
  await books.approve(LAST)
  const before = await lineOf(LAST)
  expect(before).toMatchObject({ in: '4', closing: '4' })
  const { trial_balance: signed } = await read(LAST)
  const networks = api.dependencies.networks as Map<string, Network>
  const all = [...networks]
  networks.delete('bitcoin')
  try {
    expect(await lineOf(LAST)).toEqual(before)
    const { sql } = api.database
    const shown = await readTrialBalance(sql, networks, books.merchantId, monthOf(THIS).from)
    expect(shown).toEqual(signed)
    expect(shown.find(({ class: each }) => each === 'equity')?.balance).toBe('-1')
  } finally {
    networks.clear()
    for (const [name, network] of all) networks.set(name, network)
  }
})

test('wants a block of each network on which the merchant has coins or bookings, also of one that left', async () => {
  const networks = api.dependencies.networks as Map<string, Network>
  const bitcoin = networks.get('bitcoin') as Network
  const red = async () => (await read(LAST)).checklist.filter(({ ok }) => !ok)
  const item = { name: 'unproven_networks', ok: false, found: 1, examples: ['bitcoin'] }
  try {
    networks.delete('bitcoin')
    expect(await red()).toEqual([])
    // Bookings since the end concern the next month.
    await books.post('deposit.confirmed', { 'chain:b': 1n, 'available:ann': -1n })
    expect(await red()).toEqual([])
    const change = { 'chain:a': 1n, 'available:ann': -1n }
    await books.post('deposit.confirmed', change, { at: new Date(monthOf(LAST).from.getTime() - 1) })
    expect(await red()).toEqual([item])
    const refused = await books.close(LAST)
    expect([codeOf(refused), refused.json.error?.details.checklist]).toEqual([
      [409, 'INVALID_STATE'],
      expect.arrayContaining([item]),
    ])
    expect(refused.json.error?.message).toContain('Configure bitcoin again')
    const back = { 'chain:a': -1n, 'available:ann': 1n }
    const at = new Date(monthOf(LAST).from.getTime() - 1)
    const paid = await books.post('withdrawal.settled', back, { at })
    expect(await red()).toEqual([])
    await dateJournals(api.database.sql, new Map([[paid, MIDDLE]]))
    expect(await red()).toEqual([item])
  } finally {
    networks.set('bitcoin', bitcoin)
  }
  expect(await red()).toEqual([])
  // A network that leaves while people decide has its block in what they sign.
  await books.close(LAST)
  try {
    networks.delete('bitcoin')
    expect(await books.approve(LAST)).toBe('effective')
  } finally {
    networks.set('bitcoin', bitcoin)
  }
})

test('refuses a close whose reconciliation found a difference, and asks for no close while the newest one did', async () => {
  await books.close(LAST)
  for (const person of books.people.slice(1)) await books.decide(LAST, person)
  await books.reconcile(LAST, 'holds')
  expect(await books.advance(LAST)).toBe('superseded')
  const item = { name: 'reconciliation', ok: false, found: 1, examples: ['holds'] }
  expect((await read(LAST)).checklist.filter(({ ok }) => !ok)).toEqual([item])
  const { json } = await books.close(LAST)
  expect(json.error.details.checklist.filter(({ ok }: { ok: boolean }) => !ok)).toEqual([item])
  // A later run that finds nothing clears it.
  const { sql } = api.database
  await sql`
    INSERT INTO reconciliation_runs (id, merchant_id, cause, scope, status, created_by, finished_at)
    VALUES (${newId('rec')}, ${books.merchantId}, 'request', '{internal}', 'clean', 'test', now())`
  expect((await books.close(LAST)).status).toBe(202)
  expect(await books.approve(LAST)).toBe('effective')
})

test('refuses a close whose reconciliation did not compare the chain up to the block of the proof', async () => {
  const { sql } = api.database
  await business()
  for (const blocks of ['lower', 'another']) {
    await books.close(LAST)
    const { proof } = await read(LAST)
    expect(proof).toHaveLength(1)
    for (const person of books.people.slice(1)) await books.decide(LAST, person)
    await books.reconcile(LAST)
    const compared = proof.map((block: { block_number: number }) =>
      blocks === 'lower'
        ? { ...block, block_number: block.block_number - 1 }
        : { ...block, block_hash: 'f'.repeat(64) },
    )
    await sql`
      UPDATE reconciliation_runs SET blocks = ${sql.json(compared)}
      WHERE id = (SELECT run_id FROM periods WHERE merchant_id = ${books.merchantId} AND period = ${LAST})`
    expect(await books.advance(LAST)).toBe('superseded')
    expect((await read(LAST)).status).toBe('open')
  }
  await books.close(LAST)
  expect(await books.approve(LAST)).toBe('effective')
})

test('closes beside a difference whose exception a person has resolved, and shows it', async () => {
  const { sql } = api.database
  const cause = 'drift:holds:ann'
  const find = async (expected: string, actual: string) => {
    await books.reconcile(LAST, 'holds')
    await sql`
      INSERT INTO reconciliation_differences (run_id, check_name, due, number, data, about)
      SELECT run_id, 'holds', true, 1, ${sql.json({ subject: { type: 'account', id: 'ann' }, account: 'ann', expected, actual })},
             ${sql.json({ kind: 'drift', cause })}
      FROM periods WHERE merchant_id = ${books.merchantId} AND period = ${LAST}`
  }
  await sql`
    INSERT INTO exceptions (id, merchant_id, kind, detail, cause, severity, reason, subject_type, subject_id, expected, actual,
                            evidence, status, resolution, resolved_at, due_at, created_at, updated_at)
    VALUES (${newId('exc')}, ${books.merchantId}, 'drift', 'drift', ${cause}, 'high', 'A hold', 'account', 'ann', '1', '2',
            '{"account": "ann"}', 'resolved', 'none', now(), now(), now(), now())`
  for (const [expected, actual, state] of [
    ['1', '3', 'superseded'],
    // A booking has moved both values of the account.
    ['1.5', '2.5', 'effective'],
  ] as const) {
    await books.close(LAST)
    for (const person of books.people.slice(1)) await books.decide(LAST, person)
    await find(expected, actual)
    expect(await books.advance(LAST)).toBe(state)
    const newest = [...(await read(LAST)).checklist].find(({ name }) => name === 'accepted_differences')
    expect(newest).toEqual({
      name: 'accepted_differences',
      ok: true,
      found: state === 'effective' ? 1 : 0,
      examples: state === 'effective' ? [cause] : [],
    })
    // The next request looks at the newest run, which must not speak against it.
    await sql`
      INSERT INTO reconciliation_runs (id, merchant_id, cause, scope, status, created_by, finished_at)
      VALUES (${newId('rec')}, ${books.merchantId}, 'request', '{internal}', 'clean', 'test', now())`
  }
})

test('refuses a close whose books or block are no longer those that were signed', async () => {
  const { sql } = api.database
  await business()
  await books.close(LAST)
  // Only a change of the database behind the platform can do this.
  await books.post('deposit.confirmed', { 'chain:a4': 1n, 'available:eve': -1n }, { at: MIDDLE })
  expect(await books.approve(LAST)).toBe('superseded')
  expect((await read(LAST)).status).toBe('open')

  await books.close(LAST)
  const [block] = (await read(LAST)).proof
  await sql`UPDATE chain_blocks SET hash = 'other' WHERE height = ${block?.block_number ?? 0}`
  try {
    expect(await books.approve(LAST)).toBe('superseded')
  } finally {
    await sql`UPDATE chain_blocks SET hash = ${block?.block_hash ?? ''} WHERE height = ${block?.block_number ?? 0}`
  }
})

test('opens the last closed month again by two approvals, and no earlier one', async () => {
  const old = periodAfter(LAST, -1)
  const older = await openBooks(api, monthOf(old).from)
  for (const period of [old, LAST]) {
    expect((await older.close(period)).status).toBe(202)
    expect(await older.approve(period)).toBe('effective')
  }
  expect(codeOf(await older.reopen(old))).toEqual([409, 'INVALID_STATE'])
  expect(codeOf(await older.reopen(THIS))).toEqual([409, 'INVALID_STATE'])
  const asked = await older.reopen(LAST)
  expect(asked.status).toBe(202)
  expect(asked.json.data).toMatchObject({ status: 'closed', approval: { path: `/periods/${LAST}` } })
  expect(codeOf(await older.reopen(LAST))).toEqual([409, 'INVALID_STATE'])
  expect(codeOf(await older.decide(LAST, older.people[0]))).toEqual([403, 'INITIATOR_CANNOT_APPROVE'])
  expect((await older.decide(LAST, older.people[1], 'reject')).status).toBe(201)
  expect(await older.advance(LAST)).toBe('rejected')
  expect((await read(LAST, older)).status).toBe('closed')

  await older.reopen(LAST)
  expect(await older.approve(LAST)).toBe('effective')
  expect(await read(LAST, older)).toMatchObject({ status: 'open', hash: null, closed_at: null })
  expect((await older.close(LAST)).status).toBe(202)
  expect(await older.approve(LAST)).toBe('effective')
  expect((await read(LAST, older)).status).toBe('closed')
})

test('ends the window of a running month at its close where that is allowed, and months chain from there', async () => {
  const shop = await openBooks(early)
  await business(shop, null)
  const asked = await shop.close(THIS)
  expect(asked.status).toBe(202)
  await shop.post('deposit.confirmed', { 'chain:a1': 5n, 'available:alice': -5n }, { height: 20 })
  expect(await shop.approve(THIS)).toBe('effective')
  const closed = await read(THIS, shop)
  expect(new Date(closed.to).getTime()).toBeLessThan(Date.now())
  expect(await lineOf(THIS, shop)).toMatchObject({ opening: '0', in: '4', closing: '4' })
  const next = (await shop.call('GET', `/statements/${NEXT}`)).json.data
  expect(next).toMatchObject({ from: closed.to, provisional: true })
  expect(await lineOf(NEXT, shop)).toMatchObject({ opening: '4', in: '0.00000005', closing: '4.00000005' })
  const { json } = await shop.call('GET', '/periods')
  expect(json.data.map(({ period }: Period) => period)).toEqual([NEXT, THIS])
  // A month that has not begun can be closed too, and never before the one before it.
  expect(codeOf(await shop.close(periodAfter(NEXT)))).toEqual([409, 'INVALID_STATE'])
  expect((await shop.close(NEXT)).status).toBe(202)
  expect(await shop.approve(NEXT)).toBe('effective')
  expect((await read(periodAfter(NEXT), shop)).from).toBe((await read(NEXT, shop)).to)

  await shop.reopen(NEXT)
  await shop.approve(NEXT)
  expect((await read(NEXT, shop)).to).toBe(monthOf(NEXT).to.toISOString())
})

test('proves a month that is closed early by what was booked before its end, as its trial balance is', async () => {
  const shop = await openBooks(early)
  const { sql } = early.database
  const { networks } = early.dependencies
  const final = 20 - (networks.get('bitcoin')?.confirmations ?? 0) + 1
  await shop.post('deposit.confirmed', { 'chain:b1': 2n, 'available:alice': -2n }, { height: final - 2 })
  const [clock] = await sql<{ now: Date }[]>`SELECT clock_timestamp() + interval '1 ms' AS now`
  const settled = clock?.now ?? new Date()
  await new Promise((resolve) => setTimeout(resolve, 20))
  await shop.post('deposit.confirmed', { 'chain:b1': 3n, 'available:alice': -3n }, { height: final })
  const { intent } = await sql.begin((tx) =>
    requestClose(tx, networks, {
      merchantId: shop.merchantId,
      period: THIS,
      settled,
      early: true,
      initiator: 'test',
      actor: 'system:test',
      expiryMs: 60_000,
      mostRuns: 5,
    }),
  )
  expect(intent.trial_balance.map(({ account, balance }) => `${account} ${balance}`).sort()).toEqual([
    'available -0.00000002',
    'chain 0.00000002',
  ])
  expect(intent.proof).toEqual([
    { network: 'bitcoin', block_number: final - 1, block_hash: `hash-${final - 1}` },
  ])
})

test('counts each booking in one window while bookings and a close run at once', async () => {
  const shop = await openBooks(early)
  const { sql } = early.database
  let booked = 0n
  let running = true
  const clerks = Array.from({ length: 4 }, async (_, clerk) => {
    while (running) {
      await shop.post('deposit.confirmed', { [`chain:c${clerk}`]: 1n, [`available:u${clerk}`]: -1n })
      booked += 1n
    }
  })
  const pause = () => new Promise((resolve) => setTimeout(resolve, 100))
  await pause()
  expect((await shop.close(THIS)).status).toBe(202)
  await pause()
  expect(await shop.approve(THIS)).toBe('effective')
  await pause()
  running = false
  await Promise.all(clerks)
  const closed = await read(THIS, shop)
  const [first, second] = [await lineOf(THIS, shop), await lineOf(NEXT, shop)]
  expect(units(first.in)).toBeGreaterThan(0n)
  expect(second.opening).toBe(first.closing)
  expect(units(first.in) + units(second.in)).toBe(booked)
  expect(units(second.closing)).toBe(booked)
  const [inside] = await sql<{ sum: bigint }[]>`
    SELECT coalesce(sum(entry.amount), 0) AS sum FROM ledger_entries entry
    JOIN ledger_accounts account ON account.id = entry.account_id
    WHERE account.merchant_id = ${shop.merchantId} AND account.kind = 'chain' AND entry.recorded_at < ${closed.to}`
  expect(inside?.sum).toBe(units(first.closing))
})

test('waits for a booking that has its time and is not committed yet', async () => {
  const shop = await openBooks(early)
  const { sql } = early.database
  let commit = () => {}
  const held = new Promise<void>((resolve) => {
    commit = resolve
  })
  let posted = () => {}
  const begun = new Promise<void>((resolve) => {
    posted = resolve
  })
  const booking = sql.begin(async (tx) => {
    await tx`SELECT * FROM post_journals(${shop.merchantId}, '{slow}', '{"\\\\x00"}', '{deposit.confirmed}', '{r}', '{NULL}',
      '{bitcoin}', '{NULL}', '{1,1}', '{bitcoin,bitcoin}', '{btc,btc}', '{chain,available}', '{x,y}', '{5,-5}',
      '{NULL,NULL}', '{NULL,NULL}', false)`
    posted()
    await held
  })
  await begun
  const closing = shop.close(THIS)
  setTimeout(commit, 300)
  expect((await closing).status).toBe(202)
  await booking
  expect(await shop.approve(THIS)).toBe('effective')
  expect(await lineOf(THIS, shop)).toMatchObject({ in: '0.00000005', closing: '0.00000005' })
})

test('gives a booking the time of the end of the closed window when the clock was set back', async () => {
  const { sql } = api.database
  await business()
  await books.close(LAST)
  await books.approve(LAST)
  const ahead = new Date(Date.now() + 3_600_000)
  await sql`UPDATE ledger_fences SET closed_until = ${ahead} WHERE merchant_id = ${books.merchantId}`
  const journal = await books.post('deposit.confirmed', { 'chain:a9': 1n, 'available:zoe': -1n })
  const entries = await sql<{ recorded_at: Date }[]>`
    SELECT recorded_at FROM ledger_entries WHERE journal_id = ${journal}`
  expect(entries.map(({ recorded_at }) => recorded_at)).toEqual([ahead, ahead])
})

test('closes once, however many ask and however often the workflow runs', async () => {
  await business()
  const answers = await Promise.all([1, 2, 3, 4].map(() => books.close(LAST)))
  expect(answers.map(({ status }) => status).sort()).toEqual([202, 409, 409, 409])
  const [, first, second] = books.people
  await books.decide(LAST, first)
  await books.decide(LAST, second)
  await books.reconcile(LAST)
  const [row] = await api.database.sql<{ id: string }[]>`
    SELECT change_id AS id FROM periods WHERE merchant_id = ${books.merchantId}`
  const { networks } = api.dependencies
  await Promise.all(
    [1, 2, 3].map(() => advanceControlChange(api.database.sql, networks, row?.id ?? '', new Date())),
  )
  const closes = await api.database.sql`
    SELECT 1 FROM audit_log WHERE merchant_id = ${books.merchantId} AND action = 'period.closed'`
  expect(closes).toHaveLength(1)
})

test('lets only the scope reconciliation or the role finance ask, and hides the period from other merchants', async () => {
  const { sql } = api.database
  await business()
  const keyOf = async (role: string, scopes: string[]) => {
    const { merchantId } = books
    const personId = await createPerson(sql, { merchantId, name: role })
    const ed25519PublicKey = createHash('sha256').update(`${role} ${merchantId}`).digest()
    await createApprover(sql, { merchantId, personId, ed25519PublicKey, role })
    return api.newKey({ merchantId, personId, scopes })
  }
  const ask = async (key: Awaited<ReturnType<typeof keyOf>>) =>
    codeOf(await books.call('POST', '/periods/close', { period: LAST }, key))
  expect(await ask(await keyOf('approver', ['read', 'approvals']))).toEqual([403, 'INSUFFICIENT_SCOPE'])
  expect(await ask(await keyOf('clerk', ['read', 'withdrawals']))).toEqual([403, 'INSUFFICIENT_SCOPE'])
  expect(await ask(await keyOf('finance', ['read', 'approvals']))).toEqual([202, undefined])

  const stranger = await openBooks(api, monthOf(LAST).from)
  expect((await read(LAST, stranger)).status).toBe('open')
  expect(codeOf(await stranger.call('GET', `/periods/${LAST}/intent`))).toEqual([404, 'NOT_FOUND'])
  expect(codeOf(await stranger.decide(LAST, stranger.people[1]))).toEqual([404, 'NOT_FOUND'])
  expect(codeOf(await stranger.reopen(LAST))).toEqual([409, 'INVALID_STATE'])
  expect((await read(LAST)).status).toBe('closing')
})

test('says clearly that an open month takes too long to add up, and reads a closed one at once', async () => {
  const slow = await startTestApi(
    {},
    { timeouts: { lock: 60_000, statement: 300, idleInTransaction: 60_000 } },
  )
  const other = connect(slow.database.url, { max: 1 })
  try {
    const own = await openBooks(slow, monthOf(LAST).from)
    expect((await own.close(LAST)).status).toBe(202)
    expect(await own.approve(LAST)).toBe('effective')
    await other.begin(async (tx) => {
      await tx`LOCK TABLE ledger_accounts IN ACCESS EXCLUSIVE MODE`
      const began = Date.now()
      const { status, json } = await own.call('GET', `/periods/${THIS}`)
      expect(Date.now() - began).toBeLessThan(5_000)
      expect([status, json.error.code]).toEqual([503, 'DEPENDENCY_UNAVAILABLE'])
      expect(json.error.message).toContain(`The figures of ${THIS} took too long to add up`)
      expect((await own.call('GET', `/periods/${LAST}`)).json.data).toMatchObject({ status: 'closed' })
    })
  } finally {
    await other.end()
    await slow.database.drop()
  }
})
