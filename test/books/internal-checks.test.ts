/** The ledger against itself: a busy history has no difference, and each corruption shows in its check alone. */

import type { PendingQuery, Row } from 'postgres'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { postJournal } from '../../db/books/ledger/post-journal.js'
import { rememberCoins } from '../../db/chain/remember-coins.js'
import { inTransaction, type Transaction } from '../../db/connect.js'
import { parseAddress } from '../../domain/address/parse-address.js'
import { INTERNAL_CHECKS, type InternalCheckName } from '../../domain/books/difference.js'
import { findNetwork } from '../../domain/chain/network.js'
import { settle } from '../stage/deposit-steps.js'
import { type MemoryRail, openMemoryRail, PAID } from '../stage/memory-rail.js'
import { expirePayment } from '../stage/payments.js'
import { differencesOf, reconcile } from '../stage/reconcile.js'

let rail: MemoryRail
const check = (seals = true) =>
  reconcile(rail.sql, rail.stage.networks, rail.stage.api.merchantId, { scope: ['internal'], seals })

beforeAll(async () => {
  rail = await openMemoryRail({ credited: false })
  await rememberCoins(rail.sql, rail.stage.networks)
  await live(rail, 20261129)
}, 120_000)
afterAll(() => rail?.stage.close())

/** Returns numbers below a limit, the same ones for the same seed. */
function dice(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

/** Lives through a history: payments, deposits, transfers, withdrawals and reorganisations, through the real functions. */
async function live({ stage, model, sql, ...rail }: MemoryRail, seed: number): Promise<void> {
  const roll = dice(seed)
  const { api, networks } = stage
  const network = findNetwork(networks, 'bitcoin')
  const call = async (method: string, path: string, body: unknown) => {
    const { status, json } = await api.call({ method, path: `/api/v1${path}`, body })
    if (status >= 300) throw new Error(`${path}: ${JSON.stringify(json)}`)
    return json.data
  }
  const payeeOf = (address: string) => parseAddress(network, address).payee ?? ''
  const look = async (blocks: number) => {
    for (let block = 0; block < blocks; block++) {
      model.mine()
      await rail.scan()
    }
    await settle(sql, networks)
  }
  await call('POST', '/webhook-endpoints', { url: 'https://shop.example.com/hooks' })
  // It was registered an hour ago, because an endpoint that just changed is not compared.
  await inTransaction(sql, async (tx) => {
    await tx`SET LOCAL session_replication_role = 'replica'`
    await tx`UPDATE webhook_endpoints SET created_at = created_at - interval '1 hour'`
    await tx`UPDATE audit_log SET at = at - interval '1 hour' WHERE action LIKE 'webhook_endpoint.%'`
  })
  model.send(rail.fund([100n * PAID]).transaction)
  await look(8)
  const orders: { id: string; address: string; user: string }[] = []
  const users = ['ann', 'bob', 'cleo', 'dan']
  const userOf = () => users[roll(users.length)] ?? 'ann'
  for (let day = 0; day < 60; day++) {
    const user = userOf()
    const address = await call('POST', '/addresses', { user_reference: user, network: 'bitcoin' })
    const pay = (to: string, amount: bigint) =>
      model.send(model.transaction([{ payee: payeeOf(to), coin: 'btc', amount }]))
    switch (roll(8)) {
      case 0: {
        const order = {
          user_reference: user,
          network: 'bitcoin',
          coin: 'btc',
          amount: '0.25',
          order_id: `o-${day}`,
        }
        const payment = await call('POST', '/payments', order)
        orders.push({ id: payment.payment_id, address: payment.address, user })
        break
      }
      case 1: {
        const order = orders[roll(orders.length)]
        if (order) pay(order.address, BigInt(20_000_000 + roll(10_000_000)))
        break
      }
      case 2:
        pay(address.address, BigInt(1_000_000 + roll(90_000_000)))
        break
      case 3:
        await look(1 + roll(4))
        break
      case 4: {
        const depth = 1 + roll(3)
        if (model.height > depth + 4) {
          const lost = model.orphan(depth)
          for (const transaction of lost) if (roll(4) > 0) model.send(transaction)
          await look(depth + 1)
        }
        break
      }
      case 5: {
        const other = userOf()
        const transfer = {
          from_user_reference: user,
          to_user_reference: other,
          network: 'bitcoin',
          coin: 'btc',
        }
        if (other !== user)
          await api.call({
            method: 'POST',
            path: '/api/v1/transfers',
            body: { ...transfer, amount: '0.001', reason: 'gift' },
          })
        break
      }
      case 6: {
        const to_address = 'bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080'
        const { status, json } = await stage.create({
          network: 'bitcoin',
          coin: 'btc',
          amount: '0.002',
          to_address,
        })
        if (status === 201 && roll(2) === 0)
          await api.call({ method: 'DELETE', path: `/api/v1/withdrawals/${json.data.id}` })
        break
      }
      default: {
        const order = orders[roll(orders.length)]
        if (order) await expirePayment(sql, order.id).catch(() => {})
      }
    }
  }
  await look(8)
  // A dispute holds what a user has.
  await call('POST', '/exceptions', {
    kind: 'dispute',
    subject: { type: 'user', id: 'ann' },
    reason: 'claimed back',
  })
  // A withdrawal that is paid.
  const { transaction, coins } = rail.fund([3n * PAID])
  model.send(transaction)
  await look(8)
  const paid = await rail.withdrawal()
  const attempt = await rail.attempt(paid, coins, 0n)
  model.mine([attempt.transaction])
  await look(8)
  expect(await rail.step(paid)).toBe('confirmed')
  await look(1)
}

test('finds nothing in a busy history', async () => {
  const run = await check()
  expect(differencesOf(run)).toEqual([])
  expect(run.status).toBe('clean')
  expect(run.checks.map(({ name }) => name)).toEqual(INTERNAL_CHECKS)
  for (const { name, examined } of run.checks) {
    if (!['reservations', 'nonces'].includes(name))
      expect({ name, examined }).not.toEqual({ name, examined: 0 })
  }
})

describe('finds one difference, in the check that guards it, for', () => {
  const id = () => rail.stage.api.merchantId
  /** Runs statements past the triggers, as a superuser can. */
  const force = (work: (tx: Transaction) => Promise<unknown>) =>
    inTransaction(rail.sql, async (tx) => {
      await tx`SET LOCAL session_replication_role = 'replica'`
      await work(tx)
    })

  interface Corruption {
    readonly name: string
    readonly check: InternalCheckName
    readonly corrupt: (tx: Transaction) => Promise<unknown>
    readonly restore: (tx: Transaction) => Promise<unknown>
  }

  /** Row that a corruption needs, as text. @throws Error if the history has none. */
  const pick = async (tx: Transaction, query: PendingQuery<Row[]>): Promise<string> => {
    const [row] = await tx<{ id: string }[]>`SELECT id::text FROM (${query}) found LIMIT 1`
    if (!row) throw new Error('The history has no such row')
    picked = row.id
    return row.id
  }
  let picked = ''

  const credited = (tx: Transaction) =>
    tx`SELECT id FROM deposits WHERE merchant_id = ${id()} AND status = 'success' ORDER BY id`
  const transferJournal = (tx: Transaction) =>
    tx`SELECT id FROM ledger_journals WHERE merchant_id = ${id()} AND type LIKE 'transfer%' ORDER BY id DESC`
  const lastEvent = (tx: Transaction) => tx`
    SELECT id FROM events WHERE merchant_id = ${id()} AND type = 'deposit.status_changed' ORDER BY position DESC`
  /** Adds an amount to the last entry of a transfer's recipient, and to everything that follows from it. */
  const inflate = async (tx: Transaction, by: number) => {
    const journal = by > 0 ? await pick(tx, transferJournal(tx)) : picked
    const [entry] = await tx<{ account_id: bigint; account_version: bigint }[]>`
      SELECT account_id, account_version FROM ledger_entries WHERE journal_id = ${journal} AND amount < 0`
    if (!entry) throw new Error('The transfer has no recipient')
    const { account_id: account, account_version: version } = entry
    await tx`
      UPDATE ledger_entries SET amount = amount - ${by} WHERE account_id = ${account} AND account_version = ${version}`
    await tx`
      UPDATE ledger_entries SET balance_after = balance_after - ${by}
      WHERE account_id = ${account} AND account_version >= ${version}`
    await tx`
      UPDATE ledger_accounts SET balance = balance - ${by}, transferred_in = transferred_in + ${by}
      WHERE id = ${account}`
  }
  const oneOf = (tx: Transaction, kind: string) => tx`
    SELECT id FROM ledger_accounts WHERE merchant_id = ${id()} AND kind = ${kind} AND owner <> '' ORDER BY id`

  let kept: Row[] = []
  /** Posts a balanced journal past all rules, with the balances and totals that follow from it. */
  const forge = (type: string, reference: string): Omit<Corruption, 'name' | 'check'> => ({
    corrupt: async (tx) => {
      const [from, to] = await tx<{ owner: string }[]>`
        SELECT owner FROM ledger_accounts
        WHERE merchant_id = ${id()} AND kind = 'available' AND owner <> '' AND balance < -9 ORDER BY id LIMIT 2`
      kept = await tx`
        SELECT id::text, balance::text, version::text, updated_at, deposited::text, withdrawn::text, fees::text,
               transferred_in::text, transferred_out::text
        FROM ledger_accounts WHERE merchant_id = ${id()} AND owner = ANY (${[from?.owner ?? '', to?.owner ?? '']})`
      await postJournal(
        tx,
        {
          merchantId: id(),
          idempotencyKey: `forged:${type}`,
          type,
          reference: reference === '' ? picked : reference,
          entries: [
            { network: 'bitcoin', coin: 'btc', kind: 'available', owner: from?.owner ?? '', amount: 9n },
            { network: 'bitcoin', coin: 'btc', kind: 'available', owner: to?.owner ?? '', amount: -9n },
          ],
        },
        { allowOverdraft: true },
      )
    },
    restore: async (tx) => {
      for (const { id: account, ...before } of kept)
        await tx`UPDATE ledger_accounts SET ${tx(before)} WHERE id = ${String(account)}`
      await tx`
        DELETE FROM ledger_entries WHERE journal_id IN (
          SELECT id FROM ledger_journals WHERE idempotency_key = ${`forged:${type}`})`
      await tx`DELETE FROM ledger_journals WHERE idempotency_key = ${`forged:${type}`}`
    },
  })
  /** Forges a journal of an object that exists. */
  const forgeOf = (type: string, find: (tx: Transaction) => PendingQuery<Row[]>) => ({
    ...forge(type, ''),
    corrupt: async (tx: Transaction) => {
      await pick(tx, find(tx))
      await forge(type, '').corrupt(tx)
    },
  })

  const corruptions: readonly Corruption[] = [
    { name: 'a transfer that no one made', check: 'journals', ...forge('transfer', 'trf_ghost') },
    {
      name: 'a second journal of a transfer',
      check: 'journals',
      ...forgeOf('transfer', (tx) => tx`SELECT id FROM transfers WHERE merchant_id = ${id()}`),
    },
    { name: 'a credit that no one approved', check: 'journals', ...forge('transfer.credit', 'exc_ghost') },
    {
      name: 'an attribution that no one approved',
      check: 'journals',
      ...forgeOf('transfer.re_attribute', (tx) => tx`SELECT id FROM exceptions WHERE merchant_id = ${id()}`),
    },
    {
      name: 'a loss that no one wrote off',
      check: 'journals',
      ...forge('exception.written_off', 'exc_ghost'),
    },
    { name: 'a hold of no dispute', check: 'journals', ...forge('exception.held', 'exc_ghost') },
    {
      name: 'a journal of a withdrawal that does not exist',
      check: 'journals',
      ...forge('withdrawal.held', 'wdr_ghost'),
    },
    {
      name: 'a journal of a withdrawal that moves the money of another user',
      check: 'journals',
      ...forgeOf('withdrawal.released', (tx) => tx`SELECT id FROM payouts WHERE merchant_id = ${id()}`),
    },
    {
      name: 'a journal of a deposit that moves the money of another user',
      check: 'journals',
      ...forgeOf(
        'deposit.success',
        (tx) => tx`SELECT id FROM deposits WHERE merchant_id = ${id()} AND user_reference IS NULL`,
      ),
    },
    {
      name: 'a foreign spend that no block has',
      check: 'journals',
      ...forge('foreign_spend.booked', 'txid'),
    },
    {
      name: 'a fall of a balance that no one saw',
      check: 'journals',
      ...forge('balance_fall.booked', 'addr_ghost'),
    },
    { name: 'a journal of a type that the platform does not know', check: 'journals', ...forge('gift', 'x') },
    {
      name: 'a reversal that reverses nothing',
      check: 'journals',
      ...forge('withdrawal.reopened', 'wdr_ghost'),
    },
    {
      name: 'the amount of a transfer',
      check: 'journals',
      corrupt: async (tx) =>
        tx`UPDATE transfers SET amount = amount + 1 WHERE id = ${await pick(
          tx,
          tx`SELECT id FROM transfers WHERE merchant_id = ${id()}`,
        )}`,
      restore: (tx) => tx`UPDATE transfers SET amount = amount - 1 WHERE id = ${picked}`,
    },
    {
      name: 'a transfer without a journal',
      check: 'journals',
      // It has its event, made of one that no check looks for.
      corrupt: async (tx) => {
        await tx`
          INSERT INTO transfers (id, merchant_id, from_user_reference, to_user_reference, network, coin, amount,
                                 amount_text, reason, created_at)
          VALUES ('trf_unbooked', ${id()}, 'ann', 'bob', 'bitcoin', 'btc', 1, '0.00000001', 'forged', now())`
        const event = tx`SELECT id FROM events WHERE merchant_id = ${id()} AND type = 'balance.updated'`
        await tx`
          UPDATE events SET type = 'transfer.created', data = data || jsonb_build_object('was', subject),
                 subject = 'trf_unbooked'
          WHERE id = ${await pick(tx, event)}`
      },
      restore: async (tx) => {
        await tx`DELETE FROM transfers WHERE id = 'trf_unbooked'`
        await tx`
          UPDATE events SET type = 'balance.updated', subject = data ->> 'was', data = data - 'was' WHERE id = ${picked}`
      },
    },
    {
      name: 'a journal that makes money',
      check: 'journals',
      corrupt: (tx) => inflate(tx, 7),
      restore: (tx) => inflate(tx, -7),
    },
    {
      name: 'a balance',
      check: 'balances',
      corrupt: async (tx) =>
        tx`UPDATE ledger_accounts SET balance = balance - 1 WHERE id = ${await pick(tx, oneOf(tx, 'available'))}`,
      restore: (tx) => tx`UPDATE ledger_accounts SET balance = balance + 1 WHERE id = ${picked}`,
    },
    {
      name: 'the balance after an entry',
      check: 'balances',
      corrupt: async (tx) => tx`
        UPDATE ledger_entries SET balance_after = balance_after - 1
        WHERE account_version = 1 AND account_id = ${await pick(tx, oneOf(tx, 'available'))}`,
      restore: (tx) => tx`
        UPDATE ledger_entries SET balance_after = balance_after + 1
        WHERE account_version = 1 AND account_id = ${picked}`,
    },
    {
      name: 'a total of an account',
      check: 'totals',
      corrupt: async (tx) =>
        tx`UPDATE ledger_accounts SET fees = fees + 1 WHERE id = ${await pick(tx, oneOf(tx, 'available'))}`,
      restore: (tx) => tx`UPDATE ledger_accounts SET fees = fees - 1 WHERE id = ${picked}`,
    },
    {
      name: 'a hold of an open withdrawal',
      check: 'holds',
      corrupt: async (tx) => tx`
        UPDATE payouts SET amount = amount + 1 WHERE id = ${await pick(
          tx,
          tx`SELECT id FROM payouts WHERE merchant_id = ${id()} AND stage IN ('requested', 'pending_approval')`,
        )}`,
      restore: (tx) => tx`UPDATE payouts SET amount = amount - 1 WHERE id = ${picked}`,
    },
    {
      name: 'a hold of a dispute',
      check: 'holds',
      corrupt: async (tx) => tx`
        UPDATE exception_holds SET amount = amount + 1 WHERE exception_id = ${await pick(
          tx,
          tx`SELECT exception_id AS id FROM exception_holds WHERE merchant_id = ${id()}`,
        )}`,
      restore: (tx) => tx`UPDATE exception_holds SET amount = amount - 1 WHERE exception_id = ${picked}`,
    },
    {
      name: 'the amount of a credited deposit',
      check: 'deposits',
      corrupt: async (tx) => tx`
        UPDATE deposits SET amount = amount + 1 WHERE id = ${await pick(
          tx,
          tx`SELECT id FROM deposits
             WHERE merchant_id = ${id()} AND status = 'success' AND payment_id IS NULL`,
        )}`,
      restore: (tx) => tx`UPDATE deposits SET amount = amount - 1 WHERE id = ${picked}`,
    },
    {
      name: 'a credit of a deposit that does not exist',
      check: 'deposits',
      corrupt: (tx) => tx`
        WITH journal AS (
          INSERT INTO ledger_journals (merchant_id, idempotency_key, request_hash, type, reference, recorded_at)
          VALUES (${id()}, 'ghost', '', 'deposit.success', 'dep_ghost', now()) RETURNING id
        ), account AS (
          UPDATE ledger_accounts SET version = version + 1, balance = balance + sign * 9,
                 deposited = deposited + 9
          FROM (VALUES ('chain', 1), ('available', -1)) AS side (of, sign)
          WHERE kind = side.of AND id = (
            SELECT min(id) FROM ledger_accounts account
            WHERE merchant_id = ${id()} AND account.kind = side.of AND owner <> '')
          RETURNING id, version, balance, sign
        )
        INSERT INTO ledger_entries (account_id, account_version, journal_id, amount, balance_after, recorded_at)
        SELECT account.id, version, journal.id, sign * 9, balance, now() FROM account, journal`,
      restore: async (tx) => {
        await tx`
          UPDATE ledger_accounts SET version = version - 1, balance = balance - amount, deposited = deposited - 9
          FROM ledger_entries entry JOIN ledger_journals journal ON journal.id = entry.journal_id
          WHERE entry.account_id = ledger_accounts.id AND journal.idempotency_key = 'ghost'`
        await tx`
          DELETE FROM ledger_entries
          WHERE journal_id IN (SELECT id FROM ledger_journals WHERE idempotency_key = 'ghost')`
        await tx`DELETE FROM ledger_journals WHERE idempotency_key = 'ghost'`
      },
    },
    {
      name: 'the fee of a paid withdrawal',
      check: 'payouts',
      corrupt: async (tx) => tx`
        UPDATE payouts SET fee = fee + 3 WHERE id = ${await pick(
          tx,
          tx`SELECT id FROM payouts WHERE merchant_id = ${id()} AND stage = 'confirmed'`,
        )}`,
      restore: (tx) => tx`UPDATE payouts SET fee = fee - 3 WHERE id = ${picked}`,
    },
    {
      name: 'a sum of a payment',
      check: 'payments',
      corrupt: async (tx) => tx`
        UPDATE payments SET amount_confirmed = amount_confirmed + 1
        WHERE id = ${await pick(tx, tx`SELECT id FROM payments WHERE merchant_id = ${id()}`)}`,
      restore: (tx) => tx`UPDATE payments SET amount_confirmed = amount_confirmed - 1 WHERE id = ${picked}`,
    },
    {
      name: 'the status that an event shows',
      check: 'events',
      corrupt: async (tx) => tx`
        UPDATE events SET data = data || jsonb_build_object('status', 'x', 'was', data -> 'status')
        WHERE id = ${await pick(tx, lastEvent(tx))}`,
      restore: (tx) => tx`
        UPDATE events SET data = (data - 'was') || jsonb_build_object('status', data -> 'was') WHERE id = ${picked}`,
    },
    {
      name: 'a gap in the sequence of events',
      check: 'event_sequence',
      corrupt: (tx) => shift(tx, 1),
      restore: (tx) => shift(tx, -1),
    },
    {
      name: 'an event that was not sealed in time',
      check: 'event_sequence',
      corrupt: (tx) => tx`
        INSERT INTO events (id, merchant_id, type, subject, occurred_at, data)
        VALUES ('evt_late', ${id()}, 'exception.raised', 'late', now() - interval '1 hour', '{}')`,
      restore: (tx) => tx`DELETE FROM events WHERE id = 'evt_late'`,
    },
    {
      name: 'a missing delivery',
      check: 'deliveries',
      corrupt: async (tx) => tx`
        UPDATE webhook_deliveries SET endpoint_id = 'x' || endpoint_id
        WHERE id = ${await pick(
          tx,
          tx`SELECT delivery.id FROM webhook_deliveries delivery JOIN events event ON event.id = delivery.event_id
             WHERE delivery.merchant_id = ${id()} AND event.sequence > 9 ORDER BY delivery.id DESC`,
        )}`,
      restore: (tx) => tx`
        UPDATE webhook_deliveries SET endpoint_id = substr(endpoint_id, 2) WHERE id = ${picked}`,
    },
    {
      name: 'a delivery that was not started in time',
      check: 'deliveries',
      corrupt: async (tx) => tx`
        UPDATE webhook_deliveries SET created_at = created_at - interval '1 hour'
        WHERE id = ${await pick(
          tx,
          tx`SELECT id FROM webhook_deliveries WHERE merchant_id = ${id()} AND status = 'pending'`,
        )}`,
      restore: (tx) => tx`
        UPDATE webhook_deliveries SET created_at = created_at + interval '1 hour' WHERE id = ${picked}`,
    },
    {
      name: 'an entry of the audit log',
      check: 'audit_log',
      corrupt: async (tx) => tx`
        UPDATE audit_log SET actor = actor || '!'
        WHERE position = ${await pick(
          tx,
          tx`SELECT position AS id FROM audit_log WHERE merchant_id = ${id()} ORDER BY position LIMIT 1`,
        )}`,
      restore: (tx) => tx`UPDATE audit_log SET actor = rtrim(actor, '!') WHERE position = ${picked}`,
    },
    {
      name: 'a counter of addresses',
      check: 'address_counters',
      corrupt: async (tx) => tx`
        UPDATE key_accounts SET next_index = next_index - 1 WHERE id = ${await pick(
          tx,
          tx`SELECT id FROM key_accounts
             WHERE merchant_id = ${id()} AND role = 'deposit' AND next_index > 0`,
        )}`,
      restore: (tx) => tx`UPDATE key_accounts SET next_index = next_index + 1 WHERE id = ${picked}`,
    },
    {
      name: 'a nonce that a payout without end keeps',
      check: 'nonces',
      corrupt: (tx) => tx`
        INSERT INTO nonces (network, address, nonce, state, payout_id)
        SELECT network, address, 7, 'signed', 'withdrawal_gone' FROM addresses
        WHERE merchant_id = ${id()} AND kind = 'hot' LIMIT 1`,
      restore: (tx) => tx`DELETE FROM nonces WHERE payout_id = 'withdrawal_gone'`,
    },
    {
      name: 'an output that stays reserved',
      check: 'reservations',
      corrupt: async (tx) => tx`
        UPDATE utxo_reservations SET released_at = NULL WHERE id = ${await pick(
          tx,
          tx`SELECT reservation.id FROM utxo_reservations reservation
             JOIN payouts payout ON payout.id = reservation.payout_id
             WHERE payout.merchant_id = ${id()} AND payout.stage = 'confirmed'`,
        )}`,
      restore: (tx) => tx`UPDATE utxo_reservations SET released_at = now() WHERE id = ${picked}`,
    },
    {
      name: 'the block of a deposit',
      check: 'blocks',
      corrupt: async (tx) =>
        tx`UPDATE deposits SET block_hash = block_hash || 'x' WHERE id = ${await pick(tx, credited(tx))}`,
      restore: (tx) => tx`UPDATE deposits SET block_hash = rtrim(block_hash, 'x') WHERE id = ${picked}`,
    },
  ]

  async function shift(tx: Transaction, by: number) {
    const [last] = await tx<{ sequence: bigint }[]>`
      SELECT sequence FROM event_sequences WHERE merchant_id = ${id()}`
    const highest = last?.sequence ?? 0n
    await tx`UPDATE events SET sequence = sequence + ${by} WHERE merchant_id = ${id()} AND sequence = ${highest.toString()}`
    await tx`UPDATE event_sequences SET sequence = sequence + ${by} WHERE merchant_id = ${id()}`
  }

  test.each(corruptions)('$name', async ({ check: name, corrupt, restore }) => {
    await force(corrupt)
    try {
      const run = await check(false)
      expect(run.status).toBe('differences')
      expect(differencesOf(run)).toHaveLength(1)
      expect(run.checks.find((each) => !each.ok)?.name).toBe(name)
    } finally {
      await force(restore)
    }
  })

  test('nothing once all of it is restored', async () => {
    expect(differencesOf(await check(false))).toEqual([])
  })
})

test('names what is not due yet, which is no difference', async () => {
  const { stage, model } = rail
  const { json } = await stage.api.call({
    method: 'POST',
    path: '/api/v1/addresses',
    body: { user_reference: 'eve', network: 'bitcoin' },
  })
  const payee = parseAddress(findNetwork(stage.networks, 'bitcoin'), json.data.address).payee ?? ''
  model.mine([model.transaction([{ payee, coin: 'btc', amount: 77_000_000n }])])
  await rail.scan()
  const run = await check(false)
  expect(run.status).toBe('clean')
  const expected = (name: string) => run.checks.find((each) => each.name === name)?.expected
  expect(expected('deposits')).toEqual([
    {
      subject: { type: 'deposit', id: expect.stringMatching(/^dep_/) },
      network: 'bitcoin',
      coin: 'btc',
      expected: '0.77',
      actual: '0',
      reason: 'The deposit is not confirmed yet',
    },
  ])
  // Its event is not sealed, and the deliveries of all events are not started.
  expect(expected('event_sequence')).not.toEqual([])
  expect(expected('deliveries')).not.toEqual([])
})
