/**
 * A month of a shop at speed. Customers pay their orders on both families of chains; some pay late, too much,
 * twice, in another coin, or not at all, and one payment leaves the chain again. A thief takes coins, an address
 * loses some, a deposit is missed, and another one belongs to no user. Meanwhile a worker, the API and the
 * database are killed, both nodes, the signer and the shop's endpoint hang, blocks are replaced, and one endpoint
 * never answers. The shop uploads its orders with mistakes. Afterwards every planted anomaly is in the queue
 * once and no other is; the shop corrects its orders, two people approve what moves value, and two people close
 * the month while the workers are killed. The statement says what the chains hold, and the audit without the
 * platform agrees.
 *
 * `KEYTURN_MONTH_USERS` sets the number of customers.
 */

import { rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { formatAmount, parseAmount } from '../../domain/money.js'
import type { Exception, ExceptionDecision } from '../../wire/exception.js'
import type { ReconciliationRun } from '../../wire/reconciliation.js'
import type { StatementLine } from '../../wire/statement.js'
import { approve } from './approve.js'
import { findLedgerFaults } from './audit-books.js'
import { COINS, type CoinName, freshRecipient } from './coins.js'
import { type AuditOutcome, alterEntry, auditMonth, exportMonth, readExported } from './month/audit-month.js'
import { closeMonth } from './month/close-month.js'
import { CUSTOMERS, limitFor } from './month/customers.js'
import { holdingsAt } from './month/holdings.js'
import { FALLEN, type Losses, loseCoins, MISSED, mineEthereum, NOBODYS } from './month/lose-coins.js'
import { openShop, type Shop } from './month/open-shop.js'
import { freeze } from './month/outages.js'
import {
  OTHER_COIN,
  order,
  payBeforeOutage,
  payInBitcoin,
  payLate,
  payOnEthereum,
  takeBack,
} from './month/pay-orders.js'
import { type Course, type Customer, planMonth } from './month/plan-month.js'
import { disputedIn, plantedDifferences, plantedExceptions } from './month/planted.js'
import {
  decideHeldDeposits,
  exceptionsOf,
  type HeldDeposits,
  reconcile,
  rescan,
  transfer,
  untilSettled,
  withdrawWithoutSigner,
} from './month/run-shop.js'
import { readStatementCsv, readStatementPdf, withoutSpace } from './month/statement-files.js'
import { until } from './month/until.js'
import { FORGOTTEN, uploadOrders } from './month/upload-orders.js'
import { createRandom, type Random } from './random.js'
import { all } from './read-all.js'
import { reorganise } from './reorganise.js'

const SEED = Number(process.env.KEYTURN_FAULT_SEED ?? Math.floor(Math.random() * 2 ** 31))
/** Limit for each test after the month, which takes seconds on a quiet machine. */
const TEST_MS = limitFor(300_000)
const FREEZE_MS = 5_000
/** The month that runs. The local stack lets a test close it. */
const PERIOD = new Date().toISOString().slice(0, 7)

let shop: Shop
let failed = false

/** Time of the orders. A state that is not reached a second later is stuck. */
let orderedAt: Date
let held: HeldDeposits
let losses: Losses
/** Payouts that waited for a signer that hung. */
let stuck: readonly string[]
let meanwhile: ReconciliationRun

beforeAll(async () => {
  console.log(`KEYTURN_FAULT_SEED=${SEED}`)
  shop = await openShop(SEED)
}, 360_000)

afterEach(({ task }) => {
  failed ||= task.result?.state === 'fail'
})

afterAll(async () => {
  await shop?.close(failed)
}, 120_000)

test(
  'takes a month of orders while processes, nodes and endpoints fail',
  async () => {
    const began = Date.now()
    const log = (what: string) => console.log(`${what} after ${Math.round((Date.now() - began) / 1_000)} s`)
    const random = createRandom(SEED)
    orderedAt = new Date()
    const month = planMonth(CUSTOMERS, random)
    const isPaidBeforeOutage = ({ course }: Customer) => course === 'is confirmed late'
    await order(
      shop,
      month.filter((customer) => !isPaidBeforeOutage(customer)),
    )
    const outage = await payBeforeOutage(shop, month.filter(isPaidBeforeOutage))
    log(`${shop.orders.length} payments`)
    const inBitcoin = async () => {
      await outage()
      await payInBitcoin(shop)
      log('All was paid in Bitcoin')
      await reorganise(shop.facts, 'bitcoin', 2)
    }
    const onEthereum = async () => {
      await takeBack(shop)
      log('A credited deposit was taken back')
      await payOnEthereum(shop)
      log('All was paid on Ethereum')
      held = await decideHeldDeposits(shop)
      log('Held deposits were decided')
    }
    const transfers = transfer(shop)
    await Promise.all([inBitcoin(), onEthereum(), failMeanwhile(random)])
    log('All was paid')
    ;[losses, stuck] = await Promise.all([
      loseCoins(shop),
      withdrawWithoutSigner(shop),
      payLate(shop),
      transfers,
    ])
    log('All was requested')
    meanwhile = await reconcile(shop, ['internal'])
    await untilSettled(shop, held)
    log('All is settled')
  },
  limitFor(900_000),
)

/** Kills a worker, the API and the database, and freezes a node and the shop's endpoint. */
async function failMeanwhile(random: Random): Promise<void> {
  const failures: readonly (() => Promise<unknown>)[] = [
    () => shop.stack.kill('longest running worker'),
    () => shop.stack.kill('api'),
    () => freeze(shop.stack, 'ethereum', FREEZE_MS),
    () => shop.stack.kill('postgres'),
    () => freeze(shop.stack, 'merchant', FREEZE_MS),
  ]
  for (const fail of random.shuffled(failures)) {
    await sleep(random.between(500, 2_000))
    await fail()
  }
}

test('finds no difference in the books while value moves', () => {
  expect(differencesOf(meanwhile)).toEqual([])
})

test(
  'confirms every payment that was paid as agreed, and no other',
  async () => {
    const expected: Readonly<Record<Course, string>> = {
      pays: 'confirmed',
      'pays in two parts': 'confirmed',
      'pays too much': 'confirmed',
      'pays twice': 'confirmed',
      'pays too little': 'expired',
      'pays late': 'expired',
      'pays after the cancellation': 'cancelled',
      'pays another coin': 'pending',
      'is taken back': 'pending',
      'is held': 'paid',
      'is confirmed late': 'confirmed',
      leaves: 'pending',
    }
    const found = await all(async (cursor) => shop.client.payments.list({ limit: 100, ...cursor }))
    expect(found.map((payment) => `${payment.order_id} ${payment.status}`).sort()).toEqual(
      shop.orders.map(({ customer }) => `${customer.orderId} ${expected[customer.course]}`).sort(),
    )
    // What was rejected or waits for a reviewer stays reserved.
    const reserved = 'something is still reserved'
    expect((await findLedgerFaults(shop.sql)).map((fault) => fault.replace(/^account \d+: /, ''))).toEqual([
      reserved,
      reserved,
    ])
  },
  TEST_MS,
)

test(
  'names every mistake in the uploaded orders once',
  async () => {
    const upload = await uploadOrders(shop.client, shop.orders, orderedAt, false)
    expect(upload.rejected).toEqual([])
    expect(differencesOf(await reconcile(shop)).sort()).toEqual(plantedDifferences(shop, losses).sort())
  },
  TEST_MS,
)

test(
  'has every planted anomaly in the queue once, and no other',
  async () => {
    const disputed = { type: 'payment' as const, id: disputedIn(shop).paymentId }
    const dispute = { kind: 'dispute' as const, subject: disputed, reason: 'The customer got nothing' }
    const [raised, again] = [
      await shop.client.exceptions.dispute(dispute),
      await shop.client.exceptions.dispute(dispute),
    ]
    expect(again.id).toBe(raised.id)
    const expected = await plantedExceptions(shop, held.rejected, losses)
    expect(namesOf(await openExceptions())).toEqual(expected.sort())
  },
  TEST_MS,
)

test(
  'had each payout as stuck once while the signer hung, and closed that by evidence',
  async () => {
    const raised = (await exceptionsOf(shop, 'stuck')).filter(({ subject }) => stuck.includes(subject.id))
    expect(namesOf(raised)).toEqual(stuck.map((id) => `stuck: ${id}`).sort())
    expect(raised.map(({ resolution }) => resolution)).toEqual(stuck.map(() => 'cause_gone'))
  },
  TEST_MS,
)

test(
  'credits a missed deposit once, however often its block is scanned again',
  async () => {
    const { missed } = losses
    for (let scan = 0; scan < 2; scan++) await rescan(shop, missed)
    await until('The missed deposit is not credited', async () => {
      const { items } = await shop.client.deposits.list({ address: missed.address })
      return items[0]?.status === 'success' ? true : null
    })
    const { items } = await shop.client.deposits.list({ address: missed.address })
    expect(items.map(({ amount }) => amount)).toEqual([MISSED])
    expect(await exceptionOf('unattributed', missed.id)).toMatchObject({ resolution: 'cause_gone' })
  },
  TEST_MS,
)

test(
  'writes off what an address lost, by two people',
  async () => {
    const { fallen } = losses
    const { id } = await exceptionOf('drift', fallen.id)
    await resolveByTwo(id, {
      resolution: 'write_off',
      journal: { address_id: fallen.id, network: 'ethereum', coin: 'eth', amount: FALLEN },
      comment: 'The chain has less, and it does not come back',
    })
    // It counts from the newest block on, and a run compares the newest final one.
    await mineEthereum(shop)
  },
  TEST_MS,
)

test(
  'finds nothing once the shop has corrected its orders and decided what was held',
  async () => {
    await shop.client.deposits.release(held.undecided.id, { reason: 'The sender is known' })
    await shop.untilStatus(shop.the('is held'), 'confirmed')
    await uploadOrders(shop.client, shop.orders, orderedAt, true)
    await shop.client.payments.create({
      user_reference: 'forgotten-customer',
      network: 'bitcoin',
      coin: 'btc',
      amount: FORGOTTEN.amount,
      order_id: FORGOTTEN.orderId,
    })
    const run = await reconcile(shop)
    expect([run.status, differencesOf(run)]).toEqual(['clean', []])
    const gone = [`unattributed: ${losses.missed.id}`, `drift: ${losses.fallen.id}`]
    const left = (await plantedExceptions(shop, held.rejected, losses)).filter(
      (each) => !/^(order_mismatch|stuck|paid_not_confirmed):/.test(each) && !gone.includes(each),
    )
    expect(namesOf(await openExceptions())).toEqual(left.sort())
  },
  TEST_MS,
)

test(
  'resolves every exception, those that move value by two people',
  async () => {
    const { client, facts } = shop
    const open = await openExceptions()
    const [paidAnother] = shop.byCourse('usdt', 'pays another coin')
    const wrongCoin = await exceptionOf('wrong_coin', paidAnother?.paymentId ?? '')
    await resolveByTwo(wrongCoin.id, {
      resolution: 're_attribute',
      journal: {
        from_user_reference: paidAnother?.customer.user ?? null,
        to_user_reference: null,
        network: 'ethereum',
        coin: 'eth',
        amount: OTHER_COIN,
      },
      comment: 'The customer pays again, and the shop returns the ether by hand',
      root_cause: 'The customer chose the wrong coin in the wallet',
    })
    const { user } = shop.the('leaves').customer
    const nobodys = await exceptionOf('unattributed', losses.nobodys)
    await client.addresses.create({ user_reference: 'found-customer', network: 'bitcoin' })
    await resolveByTwo(nobodys.id, {
      resolution: 'credit',
      journal: {
        from_user_reference: null,
        to_user_reference: user,
        network: 'bitcoin',
        coin: 'btc',
        amount: NOBODYS,
      },
      comment: 'The customer has shown the transaction',
    })
    const found = await client.balances.list({ user_reference: user, coin: 'btc' })
    expect(found.items.map(({ available }) => available)).toEqual([NOBODYS])
    const [late] = shop.byCourse('btc', 'pays late')
    const refunded = await exceptionOf('late', late?.paymentId ?? '')
    const { approval } = await client.exceptions.resolve(refunded.id, {
      resolution: 'refund',
      journal: { to_address: freshRecipient('btc') },
      comment: 'The goods are sold out',
    })
    const [, withdrawal = ''] = /withdrawals\/(\w+)/.exec(approval?.path ?? '') ?? []
    await approve(facts, 'withdrawals', withdrawal, [0, 0])
    await untilResolved(refunded.id)
    const moved = [wrongCoin.id, nobodys.id, refunded.id]
    await client.exceptions.bulk({
      ids: open.map((each) => each.id).filter((each) => !moved.includes(each)),
      action: 'resolve',
      resolution: 'none',
      comment: 'Read at the end of the month',
    })
    // The refund may have been stuck for a while. The sweeper closes that.
    await until('An exception stands', async () => {
      const names = namesOf(await openExceptions())
      if (names.length > 0) throw new Error(names.join('; '))
      return true
    })
  },
  TEST_MS,
)

test(
  'closes the month once by two people, although the workers that close it are killed, and states what the chains hold',
  async () => {
    const { client } = shop
    const began = Date.now()
    const closed = await closeMonth(shop, PERIOD, createRandom(SEED + 1))
    console.log(`The month was closed within ${Math.round((Date.now() - began) / 1_000)} s`)
    expect([closed.status, closed.checklist.filter(({ ok }) => !ok)]).toEqual(['closed', []])
    const { provisional, proof, lines, outside_books } = await client.statements.get(PERIOD)
    expect([provisional, proof, outside_books]).toEqual([false, closed.proof, []])
    expect(lines.map(({ coin, closing }) => `${coin} ${closing}`)).toEqual(await holdingsAt(shop, proof))
    const lost = shop.the('is taken back').customer.amount + losses.stolen + parseAmount(FALLEN, 18)
    expect(lines.map(({ coin, adjustments }) => `${coin} ${adjustments}`)).toEqual([
      'btc 0',
      `eth -${formatAmount(lost, 18)}`,
      'usdt 0',
    ])
    expect(lines.map(sumOf)).toEqual(lines.map(({ coin, closing }) => units(coin, closing)))
  },
  TEST_MS,
)

test(
  'writes the same figures and blocks into the files of the statement',
  async () => {
    const { proof, lines } = await shop.client.statements.get(PERIOD)
    const { head, table } = await readStatementCsv(shop, PERIOD)
    expect(head).toContainEqual(['status', 'closed'])
    expect(head.filter(([name]) => name === 'proof')).toEqual(
      proof.map(({ network, block_number, block_hash }) => [
        'proof',
        network,
        String(block_number),
        block_hash,
      ]),
    )
    const [names = [], ...rows] = table
    expect(rows).toEqual(lines.map((line) => names.map((name) => line[name as keyof StatementLine])))
    expect(names).toEqual(expect.arrayContaining(Object.keys(lines[0] ?? {})))
    const pdf = await readStatementPdf(shop, PERIOD)
    expect(pdf).toContain(withoutSpace('Closed: the figures are final'))
    for (const { network, block_number, block_hash } of proof)
      expect(pdf).toContain(withoutSpace(`${network} at block ${block_number}, ${block_hash}`))
    for (const { coin, network, closing, adjustments } of lines)
      expect(pdf).toMatch(
        new RegExp(`${withoutSpace(`${coin} on ${network}`)}[\\d.-]*${escaped(adjustments + closing)}`),
      )
  },
  TEST_MS,
)

test(
  'passes the audit without the platform, which names the one entry that is altered',
  async () => {
    const directory = await exportMonth(shop, PERIOD)
    try {
      expect(await auditMonth(shop, PERIOD, directory)).toEqual<AuditOutcome>({ exitCode: 0, faults: [] })
      // However often a worker was killed, the month was closed once.
      const closes = readExported(directory, 'audit').filter(({ action }) => action === 'period.closed')
      expect(closes).toHaveLength(1)
      const entries = readExported(directory, 'ledger')
      const sequence = createRandom(SEED + 2).between(1, entries.length)
      alterEntry(directory, sequence)
      expect(await auditMonth(shop, PERIOD, directory)).toMatchObject({
        exitCode: 1,
        faults: expect.arrayContaining([
          expect.stringMatching(new RegExp(`^ledger: line ${sequence} \\(sequence ${sequence}\\): `)),
        ]),
      })
    } finally {
      rmSync(directory, { recursive: true })
    }
  },
  TEST_MS,
)

/** Returns what the checks of a run found, as `check subject field expected actual`. */
function differencesOf(run: ReconciliationRun): string[] {
  if (run.status === 'failed') throw new Error(`${run.id} failed: ${JSON.stringify(run.failure)}`)
  return run.checks.flatMap(({ name, differences }) =>
    differences.map(
      ({ subject, field, expected, actual }) =>
        // A payment's status may be one of several.
        `${name} ${subject.id} ${field} ${expected}${field === 'state' ? '' : ` ${actual}`}`,
    ),
  )
}

/** Returns the only exception of a kind about a subject. */
async function exceptionOf(kind: Exception['kind'], subject: string): Promise<Exception> {
  const [found, ...others] = (await exceptionsOf(shop, kind)).filter((each) => each.subject.id === subject)
  if (!found || others.length > 0) throw new Error(`There is not one exception ${kind} about ${subject}`)
  return found
}

/** Proposes a journal, approves it as two other people, and waits until it is booked. */
async function resolveByTwo(id: string, resolution: ExceptionDecision): Promise<void> {
  await shop.client.exceptions.resolve(id, resolution)
  await approve(shop.facts, 'exceptions', id, [0, 0])
  await untilResolved(id)
}

async function untilResolved(id: string): Promise<void> {
  await until(`${id} is not resolved`, async () =>
    (await shop.client.exceptions.get(id)).status === 'resolved' ? true : null,
  )
}

/** Returns the exceptions that stand. */
async function openExceptions(): Promise<Exception[]> {
  const found = await all<Exception>((cursor) => shop.client.exceptions.list({ limit: 100, ...cursor }))
  return found.filter(({ status }) => status !== 'resolved')
}

/** Returns exceptions as `kind: subject`, sorted. */
function namesOf(exceptions: readonly Exception[]): string[] {
  return exceptions.map(({ kind, subject }) => `${kind}: ${subject.id}`).sort()
}

/** Returns opening + in − out − fees + transfers + adjustments, in base units. */
function sumOf(line: StatementLine): bigint {
  const of = (text: string) => units(line.coin, text)
  return (
    of(line.opening) + of(line.in) - of(line.out) - of(line.fees) + of(line.transfers) + of(line.adjustments)
  )
}

function units(coin: string, text: string): bigint {
  const { decimals } = COINS[coin as CoinName]
  return text.startsWith('-') ? -parseAmount(text.slice(1), decimals) : parseAmount(text, decimals)
}

/** Returns a pattern that a text matches exactly. */
function escaped(text: string): string {
  return text.replace(/[.-]/g, '\\$&')
}
