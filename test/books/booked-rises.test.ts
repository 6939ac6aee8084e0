/**
 * Coins that a contract paid, on a node without traces: two people credit them, once, and all that knows them agrees
 * when a reorg or a rescan comes before or after.
 */

import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { auditChain } from '../../activities/books/audit/audit-chain.js'
import { advanceChain } from '../../activities/chain/advance-chain.js'
import { compareAccounts, createAccountLook } from '../../activities/chain/compare-accounts.js'
import { rescanBlocks } from '../../activities/chain/rescan-blocks.js'
import type { EvmAdapter } from '../../chains/adapter.js'
import { describeIntent } from '../../client/approve/describe-intent.js'
import { readOutside } from '../../db/books/periods/read-outside.js'
import { runCheck } from '../../db/books/reconciliation/run-check.js'
import { rememberCoins } from '../../db/chain/remember-coins.js'
import type { Sql } from '../../db/connect.js'
import { advanceControlChange } from '../../db/controls/changes/advance-control-change.js'
import type { Difference } from '../../domain/books/difference.js'
import type { Network } from '../../domain/chain/network.js'
import { formatAmount } from '../../domain/money.js'
import type { Exception } from '../../wire/exception.js'
import { type Lab, startLab } from '../chains/evm/lab.js'
import { ledger, settle } from '../stage/deposit-steps.js'
import { parseCsv } from '../stage/parse-csv.js'
import { sendDecision } from '../stage/people.js'
import { differencesOf, reconcile } from '../stage/reconcile.js'
import { type Stage, startStage } from '../stage/start-stage.js'
import type { Answer } from '../stage/test-api.js'

const THIS_MONTH = new Date().toISOString().slice(0, 7)
let stage: Stage
let sql: Sql
let lab: Lab
let adapter: EvmAdapter
const networks = new Map<string, Network>()

beforeAll(async () => {
  lab = await startLab()
  adapter = lab.open({ traceBlock: false })
  networks.set('ethereum', adapter.network)
  stage = await startStage({ networks })
  ;({ sql } = stage.api.database)
  await rememberCoins(sql, networks)
  await advanceChain(sql, adapter)
})
afterAll(async () => {
  await stage?.close()
  await lab?.stop()
})

const get = async (path: string) => (await stage.api.call({ path: `/api/v1${path}` })).json.data
const post = (path: string, body: unknown): Promise<Answer> =>
  stage.api.call({ method: 'POST', path: `/api/v1${path}`, body, key: stage.people[0].key })
const eth = (units: bigint) => formatAmount(units, 18)

async function issue(user: string): Promise<{ id: string; address: string }> {
  return (await post('/addresses', { user_reference: user, network: 'ethereum' })).json.data
}
const mine = async (blocks: number) => {
  await lab.anvil.mine(blocks)
  await advanceChain(sql, adapter)
}
/** Lets the watcher compare all accounts twice, as it does within minutes. */
async function notice(look = createAccountLook()): Promise<void> {
  for (let left = 4; left > 0; left--) await compareAccounts(sql, adapter, look)
}
const paid = async (address: string, amount: bigint) => {
  await lab.callLab('pay', [address, amount], amount)
  await mine(1)
  const height = await head()
  await notice()
  return height
}
const head = async () => (await adapter.head()).height
const standing = async (address: string): Promise<Exception[]> =>
  (await get('/exceptions?limit=100')).filter(
    (each: Exception) => each.status !== 'resolved' && each.evidence.address === address,
  )
async function riseOf(address: string): Promise<string> {
  const [exception, ...others] = await standing(address)
  expect(others).toEqual([])
  expect(exception).toMatchObject({ kind: 'unattributed', detail: 'balance.rose_without_transaction' })
  return exception?.id ?? ''
}
const propose = (id: string, to: string | null, amount: bigint, change: object = {}) =>
  post(`/exceptions/${id}/resolve`, {
    resolution: 'credit',
    comment: 'The exchange says that it paid',
    journal: {
      ...{ from_user_reference: null, to_user_reference: to, network: 'ethereum', coin: 'eth' },
      amount: eth(amount),
      ...change,
    },
  })
const refusal = async (answer: Promise<Answer>) => {
  const { status, json } = await answer
  return [status, json.error?.code]
}
async function approve(id: string): Promise<string[]> {
  for (const person of stage.people.slice(1))
    expect((await sendDecision(stage.api, `/api/v1/exceptions/${id}`, person, 'approve')).status).toBe(201)
  const [row] = await sql<{ change_id: string }[]>`SELECT change_id FROM exceptions WHERE id = ${id}`
  const change = row?.change_id ?? ''
  const ends = [1, 2, 3].map(() => advanceControlChange(sql, networks, change, new Date()))
  return (await Promise.all(ends)).map(({ state }) => state)
}
const BOOKED = ['effective', 'effective', 'effective']
async function credit(id: string, to: string | null, amount: bigint): Promise<void> {
  expect(await refusal(propose(id, to, amount))).toEqual([202, undefined])
  expect(await approve(id)).toEqual(BOOKED)
}
const available = (user: string) => ledger(sql, 'available', user, 'eth')
const rises = (addressId: string) => sql<{ amount: bigint; booked: boolean }[]>`
  SELECT amount, journal_id IS NOT NULL AS booked FROM balance_rises WHERE address_id = ${addressId}
  ORDER BY block_number`
const typesOf = async (exception: string) =>
  (
    await sql<{ type: string }[]>`SELECT type FROM ledger_journals WHERE reference = ${exception} ORDER BY id`
  ).map(({ type }) => type)
const internal = async () =>
  differencesOf(await reconcile(sql, networks, stage.api.merchantId, { scope: ['internal'] }))
/** Compares the chain with the books. @returns What it found of an address. */
async function audit(of: string, atBlock?: number) {
  const result = await auditChain(sql, {
    merchantId: stage.api.merchantId,
    network: adapter.network,
    atBlock: atBlock ?? (await head()),
    key: randomUUID(),
  })
  if (result.kind !== 'compared') throw new Error(`The comparison is ${result.kind}`)
  const about = (found: readonly Difference[]) =>
    found.flatMap(({ address, expected }) => (address === of ? [expected] : []))
  return { differences: about(result.findings.differences), expected: about(result.findings.expected) }
}
/** Scans blocks again with a node that gives traces, and credits what is found. */
async function explain(from: number, to = from): Promise<void> {
  await rescanBlocks(sql, lab.adapter, from, to)
  await settle(sql, networks)
}
async function exported(addressId: string) {
  const { json: text } = await stage.api.call({ path: '/api/v1/exports/addresses?format=ndjson' })
  const lines: string[] = text.trimEnd().split('\n')
  return lines.map((line) => JSON.parse(line)).find(({ id }) => id === addressId)
}
const journalsCheck = async () =>
  (await runCheck(sql, networks, stage.api.merchantId, 'journals', { networks: null })).findings.differences

/** What is changed, and the change. It returns its undoing. */
type Change = [string, (id: string) => Promise<() => Promise<unknown>>]

describe('a credit of coins that a contract paid', () => {
  test('books them once as a deposit, and every reader of the books leaves them out of what lies outside', async () => {
    const { id: addressId, address } = await issue('alice')
    const height = await paid(address, 7n)
    const id = await riseOf(address)
    expect(await refusal(propose(id, 'alice', 7n))).toEqual([409, 'INVALID_STATE'])
    await mine(3)
    expect(await refusal(propose(id, 'alice', 8n))).toEqual([422, 'INVALID_AMOUNT'])
    expect(await refusal(propose(id, 'alcie', 7n))).toEqual([404, 'NOT_FOUND'])
    expect(await refusal(propose(id, 'alice', 7n, { from_user_reference: 'alice' }))).toEqual([
      400,
      'VALIDATION_FAILED',
    ])
    expect(await refusal(propose(id, 'alice', 7n, { coin: 'usdt', amount: '1' }))).toEqual([
      400,
      'VALIDATION_FAILED',
    ])
    const outside = eth(7n)
    expect(await audit(address)).toEqual({ differences: [], expected: [outside] })
    expect(await exported(addressId)).toMatchObject({
      outside_books: [{ amount: eth(7n) }],
      booked_rises: [],
    })
    const statement = () => get(`/statements/${THIS_MONTH}`)
    const beside = { network: 'ethereum', coin: 'eth', amount: eth(7n) }
    expect(await statement()).toMatchObject({ outside_books: [beside] })
    const csv = await stage.api.call({ path: `/api/v1/statements/${THIS_MONTH}?format=csv` })
    expect(parseCsv(csv.json)).toContainEqual(['outside_books', 'ethereum', 'eth', eth(7n)])

    await credit(id, 'alice', 7n)
    expect(await typesOf(id)).toEqual(['deposit.rise_booked'])
    expect(await available('alice')).toBe(7n)
    expect(await ledger(sql, 'chain', addressId, 'eth')).toBe(7n)
    expect([...(await rises(addressId))]).toEqual([{ amount: 7n, booked: true }])
    expect(await get(`/exceptions/${id}`)).toMatchObject({ status: 'resolved', resolution: 'credit' })
    const totals = { deposited: eth(7n), transferred_in: '0', withdrawn: '0' }
    expect(await get('/balances/totals?group_by=user&user_reference=alice')).toMatchObject([totals])
    expect(await get('/balances/totals?group_by=address')).toContainEqual(expect.objectContaining(totals))
    const events = await sql<{ data: object }[]>`
      SELECT data FROM events WHERE type = 'balance.updated' AND subject = ${id}`
    expect(events).toMatchObject([
      { data: { user_reference: 'alice', funds: [{ type: 'AVAILABLE', delta: eth(7n) }, {}] } },
    ])
    const proof = [{ network: 'ethereum', block_number: await head(), block_hash: '' }]
    expect(await readOutside(sql, stage.api.merchantId, proof, new Date())).toEqual([])
    // A month that ended before the booking keeps it outside.
    expect(await readOutside(sql, stage.api.merchantId, proof, new Date(0))).toEqual([
      { network: 'ethereum', coin: 'eth', amount: 7n },
    ])
    const booked = await statement()
    expect(booked.outside_books).toEqual([])
    expect(booked.lines.find(({ coin }: { coin: string }) => coin === 'eth')).toMatchObject({
      in: eth(7n),
      adjustments: '0',
      closing: eth(7n),
    })
    expect(await exported(addressId)).toMatchObject({
      outside_books: [],
      booked_rises: [{ coin: 'eth', amount: eth(7n), source: 'unexplained', journal_id: expect.any(String) }],
    })

    // A fall is recorded once the block of its first sight is final.
    const look = createAccountLook()
    await notice(look)
    await mine(3)
    await notice(look)
    expect(await standing(address)).toEqual([])
    expect(await audit(address)).toEqual({ differences: [], expected: [] })
    expect(await internal()).toEqual([])
    // Noticed later than it came: at the block before, the coins lie on the chain and their journal counts later.
    await sql`UPDATE balance_rises SET block_number = ${height + 2} WHERE address_id = ${addressId}`
    await sql`ALTER TABLE ledger_journals DISABLE TRIGGER ledger_journals_immutable`
    await sql`UPDATE ledger_journals SET height = ${height + 2} WHERE reference = ${id}`
    await sql`ALTER TABLE ledger_journals ENABLE TRIGGER ledger_journals_immutable`
    expect(await audit(address, height)).toEqual({ differences: [], expected: [outside] })
    expect(await audit(address, height + 2)).toEqual({ differences: [], expected: [] })
  })

  test('closes what a reconciliation had said about the same coins, so that they are credited once', async () => {
    const { address } = await issue('kate')
    await lab.callLab('pay', [address, 14n], 14n)
    await mine(4)
    await reconcile(sql, networks, stage.api.merchantId, { scope: ['chain'] })
    const [missed, ...others] = await standing(address)
    expect([missed, others]).toMatchObject([
      { kind: 'unattributed', evidence: { check: 'chain:ethereum' } },
      [],
    ])
    await notice()
    const id = await riseOf(address)
    expect(id).not.toBe(missed?.id)
    expect(await get(`/exceptions/${missed?.id}`)).toMatchObject({ resolution: 'cause_gone' })
    await mine(3)
    await credit(id, 'kate', 14n)
    expect(await available('kate')).toBe(14n)
  })

  test("books what came to the merchant's own account, and is shown to the people who sign it", async () => {
    const { address } = await issue('owner')
    await paid(address, 5n)
    const id = await riseOf(address)
    await mine(3)
    expect(await refusal(propose(id, null, 5n))).toEqual([202, undefined])
    const { intent } = await get(`/exceptions/${id}/intent`)
    expect(intent).toMatchObject({ resolution: 'credit', address, amount: '5', from_user_reference: null })
    const shown = describeIntent(intent, '')
    expect(shown).toContain(`books     ${eth(5n)} eth that rose on ${address}`)
    expect(shown).toContain('to        the merchant’s own account')
    expect(await approve(id)).toEqual(BOOKED)
    expect(await available('')).toBe(5n)
    expect(await internal()).toEqual([])
  })

  test.each<Change>([
    [
      'the amount of the rise',
      async (id) => {
        await sql`UPDATE balance_rises SET amount = amount + 1 WHERE journal_id = (${journalOf(id)})`
        return () => sql`UPDATE balance_rises SET amount = amount - 1 WHERE journal_id = (${journalOf(id)})`
      },
    ],
    [
      'the mark of the rise',
      async (id) => {
        const [row] = await sql<{ journal: bigint; address: string }[]>`
          UPDATE balance_rises SET journal_id = NULL WHERE journal_id = (${journalOf(id)})
          RETURNING (${journalOf(id)}) AS journal, address_id AS address`
        return () =>
          sql`UPDATE balance_rises SET journal_id = ${row?.journal ?? 0n} WHERE address_id = ${row?.address ?? ''}`
      },
    ],
    [
      'the user whom two people approved',
      async (id) => {
        const set = (user: string) => sql`
          UPDATE control_changes SET intent = jsonb_set(intent, '{to_user_reference}', to_jsonb(${user}::text))
          WHERE intent ->> 'exception' = ${id}`
        await set('mallory')
        return () => set('alice')
      },
    ],
    [
      'the account of the journal',
      async (id) => {
        await move(id, 'alice', 'mallory')
        return () => move(id, 'mallory', 'alice')
      },
    ],
    ...['deposit.success', 'deposit.rise_found', 'transfer.credit', 'transfer'].map(
      (type): Change => [
        `the type of the journal to ${type}`,
        async (id) => {
          await retype(id, type)
          return () => retype(id, 'deposit.rise_booked')
        },
      ],
    ),
  ])('is one difference of the check journals when someone changes %s', async (_, change) => {
    const [row] = await sql<{ id: string }[]>`
      SELECT journal.reference AS id FROM ledger_journals journal
      JOIN ledger_entries entry ON entry.journal_id = journal.id
      JOIN ledger_accounts account ON account.id = entry.account_id
      WHERE journal.type = 'deposit.rise_booked' AND account.owner = 'alice'`
    const id = row?.id ?? ''
    expect(await journalsCheck()).toEqual([])
    const undo = await change(id)
    const [journal] = await sql<{ id: string }[]>`${journalOf(id)}`
    expect(await journalsCheck()).toMatchObject([
      { subject: { type: 'journal', id: String(journal?.id) }, field: 'cause' },
    ])
    await undo()
    expect(await journalsCheck()).toEqual([])
  })
})

const journalOf = (id: string) =>
  sql`SELECT id FROM ledger_journals WHERE reference = ${id} AND reverses IS NULL`

async function move(id: string, from: string, to: string): Promise<void> {
  await sql`
    INSERT INTO ledger_accounts (merchant_id, network, coin, kind, owner)
    VALUES (${stage.api.merchantId}, 'ethereum', 'eth', 'available', ${to}) ON CONFLICT DO NOTHING`
  await sql`ALTER TABLE ledger_entries DISABLE TRIGGER USER`
  await sql`
    UPDATE ledger_entries entry SET account_id = other.id, account_version = 1000 - entry.account_version
    FROM ledger_accounts account, ledger_accounts other
    WHERE entry.journal_id = (${journalOf(id)}) AND account.id = entry.account_id AND account.kind = 'available'
      AND account.owner = ${from} AND other.owner = ${to} AND other.kind = 'available' AND other.coin = 'eth'`
  await sql`ALTER TABLE ledger_entries ENABLE TRIGGER USER`
}

async function retype(id: string, type: string): Promise<void> {
  await sql`ALTER TABLE ledger_journals DISABLE TRIGGER USER`
  await sql`UPDATE ledger_journals SET type = ${type} WHERE id = (${journalOf(id)})`
  await sql`ALTER TABLE ledger_journals ENABLE TRIGGER USER`
}

describe('a reorganisation', () => {
  const reorg = async (depth: number) => {
    await lab.anvil.call('anvil_reorg', depth, [])
    await lab.anvil.mine(1)
    await advanceChain(sql, adapter)
  }

  test('takes a booking back with its block, and coins that are still there can be credited again', async () => {
    const { id: addressId, address } = await issue('bob')
    await lab.callLab('pay', [address, 9n], 9n)
    await mine(2)
    await notice()
    const first = await riseOf(address)
    await mine(3)
    await credit(first, 'bob', 9n)
    // The block at which it was noticed leaves the chain, and the one that paid stays.
    await reorg(4)
    expect([...(await rises(addressId))]).toEqual([])
    expect(await typesOf(first)).toEqual(['deposit.rise_booked', 'deposit.rise_reverted'])
    expect(await available('bob')).toBe(0n)
    const [lost, ...others] = await standing(address)
    expect([lost, others]).toMatchObject([
      { kind: 'reorged', detail: 'balance.rise_reverted', severity: 'high', user_reference: 'bob' },
      [],
    ])
    expect(await internal()).toEqual([])
    await post(`/exceptions/${lost?.id}/resolve`, { resolution: 'none', comment: 'Credited again' })
    await notice()
    const second = await riseOf(address)
    expect(second).not.toBe(first)
    await mine(3)
    await credit(second, 'bob', 9n)
    expect(await available('bob')).toBe(9n)
    expect(await ledger(sql, 'chain', addressId, 'eth')).toBe(9n)
    expect(await audit(address)).toEqual({ differences: [], expected: [] })
    expect(await internal()).toEqual([])
  })

  test('leaves a debt where the coins are gone and spent, and says so', async () => {
    const { id: addressId, address } = await issue('carol')
    await paid(address, 4n)
    const id = await riseOf(address)
    await mine(3)
    await credit(id, 'carol', 4n)
    const spent = await post('/transfers', {
      ...{ from_user_reference: 'carol', to_user_reference: 'bob', network: 'ethereum', coin: 'eth' },
      ...{ amount: eth(3n), reason: 'bought' },
    })
    expect(spent.status).toBe(201)
    await reorg(4)
    expect(await available('carol')).toBe(-3n)
    expect(await ledger(sql, 'chain', addressId, 'eth')).toBe(0n)
    expect(await standing(address)).toMatchObject([
      { detail: 'balance.rise_reverted', severity: 'critical', user_reference: 'carol' },
    ])
    await notice()
    expect(await standing(address)).toHaveLength(1)
    expect(await audit(address)).toEqual({ differences: [], expected: [] })
    expect(await internal()).toEqual([])
  })

  test('before the approvals leaves nothing to book', async () => {
    const { id: addressId, address } = await issue('dora')
    await paid(address, 6n)
    const id = await riseOf(address)
    await mine(3)
    expect((await propose(id, 'dora', 6n)).status).toBe(202)
    await reorg(4)
    expect(await approve(id)).toEqual(['superseded', 'superseded', 'superseded'])
    expect([await available('dora'), [...(await rises(addressId))]]).toEqual([0n, []])
    expect(await internal()).toEqual([])
  })
})

describe('coins that vanish before they are credited', () => {
  test.each([
    ['as much as rose', 'lena', 100n, { left: 0n, lost: 0n }],
    ['a part of it', 'mia', 103n, { left: 3n, lost: 0n }],
    ['more than it', 'nora', 95n, { left: 0n, lost: 5n }],
  ])(
    'are never credited, and only the rest is a loss, when the balance falls by %s',
    async (_, user, now, { left, lost }) => {
      const { id: addressId, address } = await issue(user)
      await lab.send({ to: address as `0x${string}`, value: 100n })
      await mine(4)
      await settle(sql, networks)
      await paid(address, 5n)
      const id = await riseOf(address)
      await mine(3)
      expect(await refusal(propose(id, user, 5n))).toEqual([202, undefined])
      const own = await available('')
      await lab.anvil.call('anvil_setBalance', address, `0x${now.toString(16)}`)
      await mine(1)
      const look = createAccountLook()
      await notice(look)
      await mine(3)
      await notice(look)

      expect(await approve(id)).toEqual(['superseded', 'superseded', 'superseded'])
      expect(await get(`/exceptions/${id}`)).toMatchObject({ status: 'resolved', resolution: 'cause_gone' })
      expect(await refusal(propose(id, user, 5n))).toEqual([409, 'INVALID_STATE'])
      expect(await typesOf(id)).toEqual([])
      expect(await available(user)).toBe(100n)
      expect(await available('')).toBe(own - lost)
      expect(await ledger(sql, 'chain', addressId, 'eth')).toBe(100n - lost)
      expect([...(await rises(addressId))]).toEqual(left > 0n ? [{ amount: left, booked: false }] : [])
      expect(await audit(address)).toEqual({ differences: [], expected: left > 0n ? [eth(left)] : [] })
      const raised = { detail: 'balance.fell_without_payment', expected: eth(100n), actual: eth(now) }
      expect(await standing(address)).toMatchObject([
        ...(lost > 0n ? [{ ...raised, evidence: { amount: eth(lost) } }] : []),
        ...(left > 0n ? [{ detail: 'balance.rose_without_transaction', actual: eth(left) }] : []),
      ])
      if (left > 0n) await credit(await riseOf(address), user, left)
      expect(await available(user)).toBe(100n + left)
      await notice(look)
      await mine(3)
      await notice(look)
      expect(await ledger(sql, 'chain', addressId, 'eth')).toBe(now)
      expect(await audit(address)).toEqual({ differences: [], expected: [] })
      expect(await internal()).toEqual([])
    },
  )

  test('leave the newest rise first, and a rise that is booked is not lowered', async () => {
    const { id: addressId, address } = await issue('olga')
    const look = createAccountLook()
    await paid(address, 4n)
    await mine(3)
    await credit(await riseOf(address), 'olga', 4n)
    await paid(address, 6n)
    await paid(address, 7n)
    await lab.anvil.call('anvil_setBalance', address, '0x8')
    await mine(1)
    await notice(look)
    await mine(3)
    await notice(look)
    expect([...(await rises(addressId))]).toEqual([
      { amount: 4n, booked: true },
      { amount: 4n, booked: false },
    ])
    expect(await standing(address)).toMatchObject([{ actual: eth(4n) }])
    expect(await available('olga')).toBe(4n)
    expect(await audit(address)).toEqual({ differences: [], expected: [eth(4n)] })
    expect(await internal()).toEqual([])
  })
})

describe('a transaction that is found later', () => {
  test('credits the user in place of the booking, exactly once', async () => {
    const { id: addressId, address } = await issue('erin')
    const height = await paid(address, 11n)
    const id = await riseOf(address)
    await mine(3)
    await credit(id, 'erin', 11n)
    for (let again = 0; again < 2; again++) {
      await explain(height)
      expect(await available('erin')).toBe(11n)
      expect(await ledger(sql, 'chain', addressId, 'eth')).toBe(11n)
      expect([...(await rises(addressId))]).toEqual([])
    }
    expect(await get('/balances/totals?group_by=user&user_reference=erin')).toMatchObject([
      { deposited: eth(11n), transferred_out: '0', withdrawn: '0' },
    ])
    expect(await standing(address)).toEqual([])
    await notice()
    expect(await standing(address)).toEqual([])
    expect(await audit(address)).toEqual({ differences: [], expected: [] })
    expect(await internal()).toEqual([])
  })

  test('takes it from another user who was credited, and says so', async () => {
    const { address } = await issue('frank')
    await issue('gina')
    const height = await paid(address, 12n)
    const id = await riseOf(address)
    await mine(3)
    await credit(id, 'gina', 12n)
    await explain(height)
    expect([await available('frank'), await available('gina')]).toEqual([12n, 0n])
    expect(await standing(address)).toMatchObject([
      { kind: 'unattributed', detail: 'balance.rise_explained', user_reference: 'gina' },
    ])
    expect(await internal()).toEqual([])
  })

  test('and explains a part leaves the rest to be credited again', async () => {
    const { id: addressId, address } = await issue('hugo')
    await lab.callLab('pay', [address, 2n], 2n)
    await mine(1)
    const height = await head()
    await paid(address, 3n)
    const whole = await riseOf(address)
    await mine(3)
    await credit(whole, 'hugo', 5n)
    await explain(height)
    expect(await available('hugo')).toBe(2n)
    expect([...(await rises(addressId))]).toEqual([{ amount: 3n, booked: false }])
    expect(await audit(address)).toEqual({ differences: [], expected: [eth(3n)] })
    const rest = await riseOf(address)
    expect(rest).not.toBe(whole)
    expect(await refusal(propose(rest, 'hugo', 5n))).toEqual([422, 'INVALID_AMOUNT'])
    await credit(rest, 'hugo', 3n)
    expect(await available('hugo')).toBe(5n)
    await notice()
    expect(await standing(address)).toEqual([])
    expect(await audit(address)).toEqual({ differences: [], expected: [] })
    expect(await internal()).toEqual([])
  })

  test('before the approvals leaves nothing to book', async () => {
    const { address } = await issue('ivan')
    const height = await paid(address, 8n)
    const id = await riseOf(address)
    await mine(3)
    expect((await propose(id, 'ivan', 8n)).status).toBe(202)
    await explain(height)
    expect(await approve(id)).toEqual(['superseded', 'superseded', 'superseded'])
    expect(await refusal(propose(id, 'ivan', 8n))).toEqual([409, 'INVALID_STATE'])
    expect(await available('ivan')).toBe(8n)
    expect(await audit(address)).toEqual({ differences: [], expected: [] })
    expect(await internal()).toEqual([])
  })

  test('waits for a booking that is under way, and takes it back', async () => {
    const { address } = await issue('jane')
    const height = await paid(address, 13n)
    const id = await riseOf(address)
    await mine(3)
    expect((await propose(id, 'jane', 13n)).status).toBe(202)
    const [states] = await Promise.all([approve(id), rescanBlocks(sql, lab.adapter, height, height)])
    expect(['effective', 'superseded']).toContain(states[0])
    await settle(sql, networks)
    expect(await available('jane')).toBe(13n)
    expect(await internal()).toEqual([])
  })
})

describe('a transaction of the watcher that loses a deadlock', () => {
  /** Lets PostgreSQL give up the first transaction that writes to a table. @returns The undoing. */
  async function giveUpOnce(table: string, event: 'INSERT' | 'DELETE'): Promise<() => Promise<unknown>> {
    await sql.unsafe(`
      CREATE SEQUENCE given_up;
      CREATE FUNCTION give_up_once() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        -- A sequence keeps its value when the transaction is undone.
        IF nextval('given_up') = 1 THEN RAISE EXCEPTION USING ERRCODE = 'deadlock_detected'; END IF;
        RETURN NULL;
      END $$;
      CREATE TRIGGER give_up_once AFTER ${event} ON ${table} FOR EACH ROW EXECUTE FUNCTION give_up_once()`)
    return async () => {
      const [row] = await sql<{ used: boolean }[]>`SELECT is_called AS used FROM given_up`
      expect(row?.used).toBe(true)
      await sql.unsafe(`DROP FUNCTION give_up_once CASCADE; DROP SEQUENCE given_up`)
    }
  }

  test('is run again, and does not count as a second comparison', async () => {
    const [before, first, second] = [await issue('peter'), await issue('paul'), await issue('quinn')]
    const look = createAccountLook()
    const compare = () => compareAccounts(sql, adapter, Object.assign(look, { after: before.id }))
    const { address } = first
    await lab.callLab('pay', [address, 1n], 1n)
    await mine(1)
    await compare()
    expect(await standing(address)).toEqual([])
    await lab.callLab('pay', [second.address, 2n], 2n)
    await mine(1)
    const undo = await giveUpOnce('balance_rises', 'INSERT')
    await compare()
    await undo()
    await riseOf(address)
    expect(await standing(second.address)).toEqual([])
    await compare()
    await riseOf(second.address)
  })

  test('is run again by a rescan', async () => {
    const { id: addressId, address } = await issue('rosa')
    const height = await paid(address, 15n)
    const id = await riseOf(address)
    await mine(3)
    await credit(id, 'rosa', 15n)
    const undo = await giveUpOnce('balance_rises', 'DELETE')
    await rescanBlocks(sql, lab.adapter, height, height)
    await undo()
    await settle(sql, networks)
    expect(await available('rosa')).toBe(15n)
    expect([...(await rises(addressId))]).toEqual([])
    expect(await internal()).toEqual([])
  })
})
