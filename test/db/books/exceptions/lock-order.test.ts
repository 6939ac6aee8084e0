/** The order of locks of `db/README.md`: while a command waits for an earlier lock, it holds no later one. */

import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type NewException, raiseException } from '../../../../db/books/exceptions/raise-exception.js'
import { rememberCoins } from '../../../../db/chain/remember-coins.js'
import type { Transaction } from '../../../../db/connect.js'
import { advanceControlChange } from '../../../../db/controls/changes/advance-control-change.js'
import { newId } from '../../../../db/new-id.js'
import { closeUnpaid } from '../../../../db/payouts/close-unpaid.js'
import { lockWithdrawal } from '../../../../db/payouts/payout-row.js'
import { repeatTransaction } from '../../../../db/repeat-transaction.js'
import { sendDecision } from '../../../stage/people.js'
import { type Stage, startStage } from '../../../stage/start-stage.js'
import { testNetworks } from '../../../stage/test-networks.js'

const TO = '0x742d35Cc6634C0532925a3b844Bc454e4438f44e'
const ETHER = 10n ** 18n
const networks = testNetworks({ ETHEREUM_ENABLED: 'true' })
let stage: Stage
let users = 0

beforeAll(async () => {
  stage = await startStage({ networks })
  await rememberCoins(sql(), networks)
  await stage.credit('ethereum', 'eth', '', 100n * ETHER)
  await stage.credit('ethereum', 'usdt', '', 10n ** 12n)
})
afterAll(() => stage?.close())

const sql = () => stage.api.database.sql
const post = async (path: string, body: unknown) => {
  const answer = await stage.api.call({
    method: 'POST',
    path: `/api/v1${path}`,
    body,
    key: stage.people[0].key,
  })
  expect(answer.json).toMatchObject({ success: true })
  return answer.json.data
}
const refund = (id: string) =>
  post(`/exceptions/${id}/resolve`, { resolution: 'refund', comment: 'x', to_address: TO })
const raise = async (change: Partial<NewException> = {}) =>
  (await sql().begin((tx) =>
    raiseException(tx, {
      merchantId: stage.api.merchantId,
      kind: 'drift',
      cause: newId('evt'),
      subject: { type: 'address', id: newId('addr') },
      reason: 'The books differ',
      expected: '2',
      actual: '1',
      ...change,
    }),
  )) ?? ''

/** Stores a credited deposit, and a dispute that holds it. @returns The user, the deposit and the dispute. */
async function disputed(): Promise<{ user: string; depositId: string; id: string }> {
  const user = `user-${++users}`
  const { id: addressId } = await post('/addresses', { user_reference: user, network: 'ethereum' })
  const depositId = newId('dep')
  await stage.credit('ethereum', 'eth', user, 3n * ETHER)
  await sql()`
    INSERT INTO deposits (id, merchant_id, network, coin, address_id, user_reference, txid, output_index, amount, status,
                          required_confirmations, history, detected_at, credited_at)
    VALUES (${depositId}, ${stage.api.merchantId}, 'ethereum', 'eth', ${addressId}, ${user}, ${newId('tx')}, 0,
            ${(3n * ETHER).toString()}, 'success', 3, '[]', now(), now())`
  const { id } = await post('/exceptions', {
    kind: 'dispute',
    subject: { type: 'deposit', id: depositId },
    reason: 'asked back',
  })
  return { user, depositId, id }
}

const advisory = (tx: Transaction, name: string) =>
  tx`SELECT pg_advisory_xact_lock(hashtextextended(${`${name}:${stage.api.merchantId}:ethereum:eth`}, 0))`
const accountsOf = (tx: Transaction, owner: string) =>
  tx`SELECT id FROM ledger_accounts WHERE owner = ${owner} ORDER BY id FOR NO KEY UPDATE`

/** Lets a command wait for a lock, and takes a later one meanwhile, which the command must not hold. */
async function meet(
  earlier: (tx: Transaction) => Promise<unknown>,
  later: (tx: Transaction) => Promise<unknown>,
  command: () => Promise<unknown>,
): Promise<void> {
  let running: Promise<unknown> = Promise.resolve()
  await sql().begin(async (tx) => {
    await tx`SET LOCAL lock_timeout = '300ms'`
    await earlier(tx)
    running = command()
    running.catch(() => {})
    await untilOneWaits()
    await later(tx)
  })
  await running
}

async function untilOneWaits(): Promise<void> {
  for (let look = 0; look < 200; look++) {
    const waiting = await sql()`
      SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`
    if (waiting.length > 0) return
    await sleep(20)
  }
  throw new Error('Nothing waits for the lock')
}

test.each(['limits', 'own-funds'])('a refund takes the lock of %s before it locks accounts', async (name) => {
  const { user, id } = await disputed()
  await meet(
    (tx) => advisory(tx, name),
    (tx) => accountsOf(tx, user),
    () => refund(id),
  )
})

test('a refund that is tried again takes the lock of limits before it locks accounts', async () => {
  const { user, id } = await disputed()
  const { withdrawal_id: withdrawal } = await refund(id)
  await close(withdrawal)
  await meet(
    (tx) => advisory(tx, 'limits'),
    (tx) => accountsOf(tx, user),
    () => post(`/withdrawals/${withdrawal}/retry`, {}),
  )
})

/** Ends a withdrawal that paid nothing. */
const close = (id: string) =>
  sql().begin(async (tx) => {
    const row = await lockWithdrawal(tx, id)
    return closeUnpaid(tx, networks, row, { to: 'cancelled', actor: 'system:test' })
  })

test('the end of a refund locks the exception before it locks accounts', async () => {
  const { user, id } = await disputed()
  const { withdrawal_id: withdrawal } = await refund(id)
  await meet(
    (tx) => tx`SELECT FROM exceptions WHERE id = ${id} FOR UPDATE`,
    (tx) => accountsOf(tx, user),
    () => close(withdrawal),
  )
})

test('a write-off locks the accounts in their order, also with what a dispute holds', async () => {
  const { id } = await disputed()
  const { id: address } = await stage.wallet('ethereum', 'hot')
  await post(`/exceptions/${id}/resolve`, {
    resolution: 'write_off',
    comment: 'x',
    journal: { address_id: address, network: 'ethereum', coin: 'eth', amount: '1' },
  })
  for (const person of stage.people.slice(1)) {
    expect((await sendDecision(stage.api, `/api/v1/exceptions/${id}`, person, 'approve')).status).toBe(201)
  }
  const [change] = await sql()<{ id: string }[]>`SELECT change_id AS id FROM exceptions WHERE id = ${id}`
  const account = (tx: Transaction, kind: string, owner: string) => tx`
    SELECT id FROM ledger_accounts WHERE coin = 'eth' AND kind = ${kind} AND owner = ${owner} FOR NO KEY UPDATE`
  const ids = await sql()<{ kind: string; id: bigint }[]>`
    SELECT kind, id FROM ledger_accounts WHERE coin = 'eth' AND (kind = 'chain' AND owner = ${address}
      OR kind = 'available' AND owner = '') ORDER BY id`
  const [low, high] = ids.map(({ kind }) => [kind, kind === 'chain' ? address : ''] as const)
  if (!low || !high) throw new Error('The accounts do not exist')
  await meet(
    (tx) => account(tx, ...low),
    (tx) => account(tx, ...high),
    () => advanceControlChange(sql(), networks, change?.id ?? '', new Date()),
  )
})

test('many exceptions that are resolved together lock the accounts of all disputes in order', async () => {
  const [first, second] = [await disputed(), await disputed()]
  await meet(
    (tx) => accountsOf(tx, first.user),
    (tx) => accountsOf(tx, second.user),
    () =>
      post('/exceptions/bulk', {
        ids: [second.id, first.id],
        action: 'resolve',
        resolution: 'none',
        comment: 'x',
      }),
  )
})

test('a dispute about a user and a withdrawal of a token take funds in the same order', async () => {
  const user = `user-${++users}`
  await stage.credit('ethereum', 'eth', user, ETHER)
  await stage.credit('ethereum', 'usdt', user, 10n ** 6n)
  const usdt = (tx: Transaction) =>
    tx`SELECT pg_advisory_xact_lock(hashtextextended(${`own-funds:${stage.api.merchantId}:ethereum:usdt`}, 0))`
  const acts = [
    () => post('/exceptions', { kind: 'dispute', subject: { type: 'user', id: user }, reason: 'x' }),
    () => post('/withdrawals', { network: 'ethereum', coin: 'usdt', amount: '1', to_address: TO }),
  ]
  for (const act of acts) await meet((tx) => advisory(tx, 'own-funds'), usdt, act)
})

test('two disputes about one user are resolved at once, together and one by one, without a deadlock', async () => {
  for (let round = 0; round < 5; round++) {
    const { user, id } = await disputed()
    const { id: other } = await post('/exceptions', {
      kind: 'dispute',
      subject: { type: 'user', id: user },
      reason: 'x',
    })
    const drift = await raise()
    const none = { resolution: 'none', comment: 'x' }
    await Promise.all([
      post(`/exceptions/${id}/resolve`, none),
      post(`/exceptions/${other}/resolve`, none),
      post('/exceptions/bulk', { ids: [drift], action: 'resolve', ...none }),
      post('/transfers', {
        from_user_reference: null,
        to_user_reference: user,
        network: 'ethereum',
        coin: 'eth',
        amount: '0.1',
        reason: 'gift',
      }),
    ])
    expect(await stage.balance('ethereum', 'eth', 'reserved', user)).toBe(0n)
  }
  await sql()`SELECT pg_stat_force_next_flush()`
  const [row] = await sql()<{ deadlocks: bigint }[]>`
    SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`
  expect(row?.deadlocks).toBe(0n)
})

test('a transaction that loses a deadlock is run again', async () => {
  const [one, two] = [await raise(), await raise()]
  const lock = (tx: Transaction, id: string) => tx`
    UPDATE exceptions SET updated_at = now() WHERE id = ${id}`
  let runs = 0
  const inOrder = (...ids: readonly string[]) =>
    repeatTransaction(sql(), async (tx) => {
      runs++
      for (const id of ids) {
        await lock(tx, id)
        await sleep(100)
      }
    })
  await Promise.all([inOrder(one, two), inOrder(two, one)])
  expect(runs).toBe(3)
  await expect(
    repeatTransaction(sql(), async () => {
      runs++
      throw new Error('it is refused')
    }),
  ).rejects.toThrow('it is refused')
  expect(runs).toBe(4)
})
