/**
 * A month of a shop at speed. Customers pay their orders on both families of chains; some pay late, too much,
 * twice, in another coin, or not at all, and one payment leaves the chain again. Meanwhile a worker and the API
 * are killed, both nodes and the shop's endpoint hang, blocks are replaced, and one endpoint never answers. The
 * shop uploads its orders with mistakes. Afterwards every planted anomaly is in the queue once and no other is;
 * the shop corrects its orders, two people close the month, and the statement says what the chains hold.
 *
 * `KEYTURN_MONTH_USERS` sets the number of customers.
 */

import { rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { formatAmount, parseAmount } from '../../domain/money.js'
import type { Exception } from '../../wire/exception.js'
import type { ReconciliationRun } from '../../wire/reconciliation.js'
import type { StatementLine } from '../../wire/statement.js'
import { approve } from './approve.js'
import { findLedgerFaults } from './audit-books.js'
import { COINS, type CoinName } from './coins.js'
import { type AuditOutcome, alterEntry, auditMonth, exportMonth, readExported } from './month/audit-month.js'
import { closeMonth } from './month/close-month.js'
import { holdingsAt } from './month/holdings.js'
import { openShop, type Shop } from './month/open-shop.js'
import { freeze } from './month/outages.js'
import { OTHER_COIN, order, payInBitcoin, payLate, payOnEthereum, takeBack } from './month/pay-orders.js'
import { type Course, planMonth } from './month/plan-month.js'
import { disputedIn, plantedDifferences, plantedExceptions } from './month/planted.js'
import {
  decideHeldDeposits,
  type HeldDeposits,
  reconcile,
  transferAndWithdraw,
  untilSettled,
} from './month/run-shop.js'
import { readStatementCsv, readStatementPdf, withoutSpace } from './month/statement-files.js'
import { until } from './month/until.js'
import { FORGOTTEN, uploadOrders } from './month/upload-orders.js'
import { createRandom, type Random } from './random.js'
import { all } from './read-all.js'
import { reorganise } from './reorganise.js'

const SEED = Number(process.env.KEYTURN_FAULT_SEED ?? Math.floor(Math.random() * 2 ** 31))
const CUSTOMERS = Number(process.env.KEYTURN_MONTH_USERS ?? 200)
/** Limit for each test after the month, which takes seconds on a quiet machine. */
const TEST_MS = 300_000
const FREEZE_MS = 5_000
/** The month that runs. The local stack lets a test close it. */
const PERIOD = new Date().toISOString().slice(0, 7)

let shop: Shop
let failed = false

/** Time of the orders. A state that is not reached a second later is stuck. */
let orderedAt: Date
let held: HeldDeposits
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

test('takes a month of orders while processes, nodes and endpoints fail', async () => {
  const began = Date.now()
  const log = (what: string) => console.log(`${what} after ${Math.round((Date.now() - began) / 1_000)} s`)
  const random = createRandom(SEED)
  orderedAt = new Date()
  await order(shop, planMonth(CUSTOMERS, random))
  log(`${shop.orders.length} payments`)
  await takeBack(shop)
  log('A credited deposit was taken back')
  const [decided] = await Promise.all([
    decideHeldDeposits(shop),
    payInBitcoin(shop),
    payOnEthereum(shop),
    failMeanwhile(random),
  ])
  held = decided
  log('All was paid')
  await Promise.all([transferAndWithdraw(shop), payLate(shop)])
  log('All was requested')
  meanwhile = await reconcile(shop, ['internal'])
  await untilSettled(shop, held)
  log('All is settled')
}, 900_000)

/** Kills a worker and the API, freezes nodes and the shop's endpoint, and replaces young blocks. */
async function failMeanwhile(random: Random): Promise<void> {
  const failures: readonly (() => Promise<unknown>)[] = [
    () => shop.stack.kill('longest running worker'),
    () => shop.stack.kill('api'),
    () => freeze(shop.stack, 'ethereum', FREEZE_MS),
    () => freeze(shop.stack, 'bitcoin', FREEZE_MS),
    () => freeze(shop.stack, 'merchant', FREEZE_MS),
    () => reorganise(shop.facts, 'bitcoin', 2),
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
    expect(differencesOf(await reconcile(shop)).sort()).toEqual(plantedDifferences(shop).sort())
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
    const expected = await plantedExceptions(shop, held.rejected)
    expect(namesOf(await openExceptions())).toEqual(expected.sort())
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
    const left = (await plantedExceptions(shop, held.rejected)).filter(
      (each) => !/^(order_mismatch|stuck|paid_not_confirmed):/.test(each),
    )
    expect(namesOf(await openExceptions())).toEqual(left.sort())
  },
  TEST_MS,
)

test(
  'resolves every exception, one of them by a journal of two people',
  async () => {
    const { client } = shop
    const [paidAnother] = shop.byCourse('usdt', 'pays another coin')
    const open = await openExceptions()
    const wrongCoin = open.find(({ kind }) => kind === 'wrong_coin')
    const { id } = await client.exceptions.resolve(wrongCoin?.id ?? '', {
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
    await approve(shop.facts, 'exceptions', id, [0, 0])
    await until('The journal is not booked', async () =>
      (await client.exceptions.get(id)).status === 'resolved' ? true : null,
    )
    await client.exceptions.bulk({
      ids: open.map((each) => each.id).filter((each) => each !== id),
      action: 'resolve',
      resolution: 'none',
      comment: 'Read at the end of the month',
    })
    expect(namesOf(await openExceptions())).toEqual([])
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
    const { provisional, proof, lines } = await client.statements.get(PERIOD)
    expect([provisional, proof]).toEqual([false, closed.proof])
    expect(lines.map(({ coin, closing }) => `${coin} ${closing}`)).toEqual(await holdingsAt(shop, proof))
    const { amount, decimals } = shop.the('is taken back').customer
    expect(lines.map(({ coin, adjustments }) => `${coin} ${adjustments}`)).toEqual([
      'btc 0',
      `eth -${formatAmount(amount, decimals)}`,
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
