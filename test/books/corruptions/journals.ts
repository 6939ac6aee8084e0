/** Corruptions of journals, and of what caused them. */

import type { JournalEntry } from '../../../db/books/ledger/post-journal.js'
import type { Transaction } from '../../../db/connect.js'
import { betweenAddresses, betweenUsers, type Corruption, change, forge, NUMBER, one } from './corruption.js'

type Find = (tx: Transaction, merchantId: string) => Promise<string>

/** What every difference says of a journal without a cause: nothing, and what it moved. */
const UNCAUSED = [null, NUMBER] as const
const ghost: Find = async () => 'no_such_thing'
const depositOf =
  (user: 'user' | 'merchant'): Find =>
  (tx, id) =>
    one(
      tx,
      tx`SELECT id FROM deposits
         WHERE merchant_id = ${id} AND status = 'success' AND network = 'ethereum'
           AND (user_reference IS NULL) = ${user === 'merchant'} ORDER BY id`,
    )
const payoutAt =
  (stage: string, network = 'bitcoin'): Find =>
  (tx, id) =>
    one(
      tx,
      tx`SELECT id FROM payouts
         WHERE merchant_id = ${id} AND stage = ${stage} AND network = ${network} AND kind = 'withdrawal' ORDER BY id`,
    )
const journalOf = (tx: Transaction, id: string, type: string) =>
  one(tx, tx`SELECT id FROM ledger_journals WHERE merchant_id = ${id} AND type = ${type} ORDER BY id DESC`)

/** A journal of a type that moves money between two users, about an object. */
const moved = (name: string, type: string, find: Find = ghost): Corruption => ({
  name,
  check: 'journals',
  says: UNCAUSED,
  corrupt: async (tx, id) =>
    forge(tx, id, { type, reference: await find(tx, id) }, await betweenUsers(tx, id)),
})

/** A reversal of one type that gets the name of another one. */
const renamed = (from: string, to: string): Corruption => ({
  name: `a reversal ${to} of what ${from} undid`,
  check: 'journals',
  says: UNCAUSED,
  corrupt: async (tx, id) =>
    change(tx`UPDATE ledger_journals SET type = ${to} WHERE id = ${await journalOf(tx, id, from)}`),
})

/** Adds an amount to the last entry of a transfer's recipient, and to everything that follows from it. */
async function inflate(tx: Transaction, id: string): Promise<void> {
  const [entry] = await tx<{ account_id: bigint; account_version: bigint }[]>`
    SELECT account_id, account_version FROM ledger_entries
    WHERE journal_id = ${await journalOf(tx, id, 'transfer')} AND amount < 0`
  if (!entry) throw new Error('The transfer has no recipient')
  const { account_id: account, account_version: version } = entry
  await change(tx`
    UPDATE ledger_entries SET amount = amount - 7 WHERE account_id = ${account} AND account_version = ${version}`)
  await tx`
    UPDATE ledger_entries SET balance_after = balance_after - 7
    WHERE account_id = ${account} AND account_version >= ${version}`
  await change(tx`
    UPDATE ledger_accounts SET balance = balance - 7, transferred_in = transferred_in + 7 WHERE id = ${account}`)
}

/** The only journal of a fall of an address's balance, with the row that caused it. */
const fall = (name: string, amount: number, entries: (address: string) => JournalEntry[]): Corruption => ({
  name,
  check: 'journals',
  says: UNCAUSED,
  corrupt: async (tx, id) => {
    const address = await one(
      tx,
      tx`SELECT id FROM addresses WHERE merchant_id = ${id} AND network = 'ethereum' AND kind = 'hot'`,
    )
    const reference = { type: 'balance_fall.booked', reference: address }
    const journal = await forge(tx, id, reference, entries(address))
    await tx`
      INSERT INTO balance_falls (network, merchant_id, address_id, coin, block_number, amount, journal_id)
      VALUES ('ethereum', ${id}, ${address}, 'eth', 1, ${amount}, ${journal})`
  },
})
const wei = (kind: JournalEntry['kind'], owner: string, amount: bigint): JournalEntry => ({
  network: 'ethereum',
  coin: 'eth',
  kind,
  owner,
  amount,
})

/** A rise of a balance that two people booked, with a row about another amount or none, or taken back. */
const rise = (
  name: string,
  amount: number | null,
  { isReversed = false, says = UNCAUSED as Corruption['says'] } = {},
): Corruption => ({
  name,
  check: 'journals',
  says,
  corrupt: async (tx, id) => {
    const address = await one(
      tx,
      tx`SELECT id FROM addresses WHERE merchant_id = ${id} AND network = 'ethereum' AND kind = 'hot'`,
    )
    const intent = { exception: 'exc_rise', address_id: address, amount: '9' }
    await change(tx`
      INSERT INTO exceptions
      SELECT (jsonb_populate_record(exception, '{"id": "exc_rise"}')).* FROM exceptions exception
      WHERE merchant_id = ${id} AND resolution = 'credit'`)
    await change(tx`
      INSERT INTO control_changes
      SELECT (jsonb_populate_record(change, jsonb_build_object('id', 'exr_rise', 'intent', intent || ${tx.json(intent)}))).*
      FROM control_changes change
      WHERE merchant_id = ${id} AND kind = 'exception_resolution' AND state = 'effective'`)
    const booked = { type: 'deposit.rise_booked', reference: 'exc_rise' }
    const entries = [wei('chain', address, 9n), wei('available', 'eva', -9n)]
    const key = { idempotencyKey: 'exception:exc_rise:exr_rise' }
    const journal = await forge(tx, id, { ...booked, ...key }, entries)
    if (isReversed) {
      const undo = { type: 'deposit.rise_reverted', reference: 'exc_rise', reverses: journal }
      const mirrored = entries.map((entry) => ({ ...entry, amount: -entry.amount }))
      await forge(tx, id, undo, mirrored)
    }
    if (amount !== null) await addRise(tx, address, amount, journal)
  },
})
const addRise = (tx: Transaction, address: string, amount: number, journal: bigint | string) =>
  change(tx`
    INSERT INTO balance_rises (network, address_id, coin, source, reference, amount, block_number, journal_id)
    VALUES ('ethereum', ${address}, 'eth', 'unexplained', '1', ${amount}, 1, ${journal})`)

export const JOURNALS: readonly Corruption[] = [
  {
    name: 'a journal that makes money',
    check: 'journals',
    says: ['0', '-0.00000007'],
    corrupt: inflate,
  },

  // Reversals.
  moved('a reversal that reverses nothing', 'withdrawal.reopened'),
  renamed('withdrawal.reopened', 'exception.released'),
  renamed('withdrawal.reopened', 'foreign_spend.reverted'),
  renamed('withdrawal.reopened', 'foreign_spend.reclaimed'),
  renamed('withdrawal.reopened', 'balance_fall.reverted'),
  renamed('withdrawal.reopened', 'gift.reverted'),
  renamed('exception.released', 'withdrawal.reopened'),
  renamed('deposit.reverted', 'deposit.refund_reverted'),
  renamed('deposit.reverted', 'deposit.rise_reverted'),
  {
    name: 'a reversal of a reversal of a deposit',
    check: 'journals',
    says: UNCAUSED,
    also: { deposits: 'It books the deposit again', holds: 'It reserves the deposit again' },
    corrupt: async (tx, id) => {
      const undone = await journalOf(tx, id, 'deposit.reverted')
      const [row] = await tx<
        { reference: string }[]
      >`SELECT reference FROM ledger_journals WHERE id = ${undone}`
      const entries = await tx<JournalEntry[]>`
        SELECT account.network, account.coin, account.kind, account.owner, -entry.amount AS amount
        FROM ledger_entries entry JOIN ledger_accounts account ON account.id = entry.account_id
        WHERE entry.journal_id = ${undone}`
      const again = { type: 'deposit.reverted', reference: row?.reference ?? '', reverses: BigInt(undone) }
      await forge(tx, id, again, entries)
    },
  },
  {
    name: 'a reversal that names another object',
    check: 'journals',
    says: UNCAUSED,
    corrupt: async (tx, id) =>
      change(tx`
        UPDATE ledger_journals SET reference = ${await payoutAt('failed', 'ethereum')(tx, id)}
        WHERE id = ${await journalOf(tx, id, 'withdrawal.reopened')}`),
  },
  {
    name: 'a reversal that moves something else than what it reverses',
    check: 'journals',
    says: UNCAUSED,
    corrupt: async (tx, id) => {
      const [held] = await tx<{ id: bigint; reference: string }[]>`
        SELECT id, reference FROM ledger_journals held
        WHERE merchant_id = ${id} AND type = 'exception.held'
          AND NOT EXISTS (SELECT FROM ledger_journals undo WHERE undo.reverses = held.id)`
      if (!held) throw new Error('No dispute is open')
      const undo = { type: 'exception.released', reference: held.reference, reverses: held.id }
      await forge(tx, id, undo, await betweenUsers(tx, id))
    },
  },

  // Deposits.
  moved('a confirmation of a deposit that moves the money of others', 'deposit.confirmed', depositOf('user')),
  moved('a credit of a deposit that moves the money of others', 'deposit.success', depositOf('merchant')),
  moved('a refund of a deposit that moves the money of others', 'deposit.refunded', depositOf('user')),
  moved('a journal of a deposit of an unknown type', 'deposit.gift', depositOf('user')),
  {
    name: 'a deposit at another address than the books say',
    check: 'journals',
    says: UNCAUSED,
    corrupt: async (tx, id) =>
      change(tx`
        UPDATE deposits SET address_id = 'addr_other' WHERE id = ${await depositOf('user')(tx, id)}`),
  },
  {
    name: 'a credit of a deposit in another coin',
    check: 'journals',
    says: UNCAUSED,
    also: { holds: 'It takes what is reserved of that coin' },
    corrupt: async (tx, id) => {
      const deposit = await depositOf('merchant')(tx, id)
      await forge(tx, id, { type: 'deposit.success', reference: deposit }, [
        { network: 'bitcoin', coin: 'btc', kind: 'reserved', owner: '', amount: 9n },
        { network: 'bitcoin', coin: 'btc', kind: 'available', owner: '', amount: -9n },
      ])
    },
  },

  // Payouts and batches.
  moved('a hold of a withdrawal that does not exist', 'withdrawal.held'),
  moved(
    'a release of a withdrawal that moves the money of others',
    'withdrawal.released',
    payoutAt('confirmed'),
  ),
  {
    name: 'a hold that moves coins between addresses',
    check: 'journals',
    says: UNCAUSED,
    corrupt: async (tx, id) => {
      const reference = await payoutAt('requested')(tx, id)
      await forge(tx, id, { type: 'withdrawal.held', reference }, await betweenAddresses(tx, id, 'btc'))
    },
  },
  {
    name: 'a hold in another coin than the withdrawal has',
    check: 'journals',
    says: UNCAUSED,
    also: { holds: 'It reserves what no withdrawal reserves' },
    corrupt: async (tx, id) => {
      const reference = await payoutAt('requested')(tx, id)
      await forge(tx, id, { type: 'withdrawal.held', reference }, [
        wei('available', '', 9n),
        wei('reserved', '', -9n),
      ])
    },
  },
  {
    name: 'a release that leaves something out',
    check: 'journals',
    says: UNCAUSED,
    corrupt: async (tx, id) => {
      const reference = await payoutAt('failed', 'ethereum')(tx, id)
      const released = { type: 'withdrawal.released', reference }
      await forge(tx, id, released, [wei('available', '', 9n), wei('network_fee', '', -9n)])
    },
  },
  {
    name: 'a settlement by which its owner gains',
    check: 'journals',
    says: UNCAUSED,
    also: { payouts: 'The payout is settled twice' },
    corrupt: async (tx, id) => {
      const reference = await payoutAt('confirmed', 'ethereum')(tx, id)
      const hot = await one(
        tx,
        tx`SELECT id FROM addresses WHERE merchant_id = ${id} AND network = 'ethereum' AND kind = 'hot'`,
      )
      const again = { type: 'withdrawal.settled', reference }
      await forge(tx, id, again, [wei('chain', hot, 9n), wei('available', '', -9n)])
    },
  },
  {
    name: 'a settlement of a batch, whose parts settle',
    check: 'journals',
    says: UNCAUSED,
    corrupt: async (tx, id) => {
      const reference = await one(tx, tx`SELECT id FROM batches WHERE merchant_id = ${id}`)
      await forge(tx, id, { type: 'withdrawal.settled', reference }, await betweenAddresses(tx, id, 'usdt'))
    },
  },

  // Transfers.
  moved('a transfer that no one made', 'transfer'),
  moved('a second journal of a transfer', 'transfer', (tx, id) =>
    one(tx, tx`SELECT id FROM transfers WHERE merchant_id = ${id}`),
  ),
  ...(['amount = amount + 1', `to_user_reference = 'someone else'`, `coin = 'usdt'`] as const).map(
    (set): Corruption => ({
      name: `a transfer with another ${set.split(' ')[0]} than its journal`,
      check: 'journals',
      says: UNCAUSED,
      corrupt: async (tx, id) =>
        change(tx`
          UPDATE transfers SET ${tx.unsafe(set)}
          WHERE id = ${await one(tx, tx`SELECT id FROM transfers WHERE merchant_id = ${id}`)}`),
    }),
  ),
  {
    name: 'a transfer without a journal',
    check: 'journals',
    says: ['0.00000001', null],
    corrupt: async (tx, id) => {
      await tx`
        INSERT INTO transfers (id, merchant_id, from_user_reference, to_user_reference, network, coin, amount, amount_text,
                               reason, created_at)
        VALUES ('trf_unbooked', ${id}, 'ann', 'bob', 'bitcoin', 'btc', 1, '0.00000001', 'forged', now())`
      // It has its event, made of one that no check looks for.
      const event = await one(
        tx,
        tx`SELECT id FROM events WHERE merchant_id = ${id} AND type = 'balance.updated'`,
      )
      await change(tx`
        UPDATE events SET type = 'transfer.created', data = data - 'status', subject = 'trf_unbooked' WHERE id = ${event}`)
    },
  },

  // Resolutions that two people approve, and disputes.
  moved('a credit that no one approved', 'transfer.credit'),
  moved('an attribution that no one approved', 'transfer.re_attribute', (tx, id) =>
    one(tx, tx`SELECT id FROM exceptions WHERE merchant_id = ${id}`),
  ),
  moved('a loss that no one wrote off', 'exception.written_off'),
  ...[
    { amount: '1' },
    { network: 'eip155:137' },
    { asset: { coin: 'usdt' } },
    { from_user_reference: 'bob' },
    { to_user_reference: 'bob' },
  ].map(
    (signed): Corruption => ({
      name: `a credit with another ${Object.keys(signed)} than was approved`,
      check: 'journals',
      says: UNCAUSED,
      corrupt: (tx, id) =>
        change(tx`
          UPDATE control_changes SET intent = intent || ${tx.json(signed)}
          WHERE merchant_id = ${id} AND kind = 'exception_resolution' AND state = 'effective'`),
    }),
  ),
  {
    name: 'a credit of an exception that was resolved otherwise',
    check: 'journals',
    says: UNCAUSED,
    corrupt: (tx, id) =>
      change(tx`
        UPDATE exceptions SET resolution = 're_attribute' WHERE merchant_id = ${id} AND resolution = 'credit'`),
  },
  {
    name: 'an approved resolution without a journal',
    check: 'journals',
    says: ['booked', null],
    corrupt: (tx, id) =>
      change(tx`
        INSERT INTO control_changes
        SELECT (jsonb_populate_record(change, '{"id": "exr_unbooked"}')).* FROM control_changes change
        WHERE merchant_id = ${id} AND kind = 'exception_resolution' AND state = 'effective'`),
  },
  moved('a hold of no dispute', 'exception.held'),
  {
    name: 'a dispute that held the money of another user',
    check: 'journals',
    says: UNCAUSED,
    corrupt: async (tx, id) => {
      const journal = await one(
        tx,
        tx`SELECT journal_id AS id FROM exception_holds WHERE merchant_id = ${id} AND released_at IS NOT NULL`,
      )
      await change(tx`UPDATE exception_holds SET owner = 'someone else' WHERE journal_id = ${journal}`)
    },
  },

  // What the chain shows without a payout.
  moved('a foreign spend that no block has', 'foreign_spend.booked'),
  {
    name: 'a foreign spend that users bear',
    check: 'journals',
    says: UNCAUSED,
    corrupt: async (tx, id) => {
      const spend = { type: 'foreign_spend.booked', reference: 'forged' }
      const journal = await forge(tx, id, spend, await betweenUsers(tx, id))
      await tx`
        INSERT INTO foreign_spends (network, txid, merchant_id, block_number, block_hash, journal_id)
        VALUES ('bitcoin', 'forged', ${id}, 1, '', ${journal})`
    },
  },
  moved('a fall of a balance that no one saw', 'balance_fall.booked'),
  fall('a fall of a balance by another amount than was seen', 8, (address) => [
    wei('chain', address, -9n),
    wei('available', '', 9n),
  ]),
  fall('a fall of a balance that a user bears', 9, (address) => [
    wei('chain', address, -9n),
    wei('available', 'eva', 9n),
  ]),
  moved('a rise of a balance that no one approved', 'deposit.rise_booked'),
  rise('a rise of a balance that no one saw', null),
  rise('a rise of a balance by another amount than was seen', 8),
  rise('a row of balance_rises whose journal was reversed', 9, { isReversed: true, says: ['booked', null] }),
  {
    name: 'a rise of a balance that a journal of another type books',
    check: 'journals',
    says: UNCAUSED,
    corrupt: async (tx, id) => {
      const address = await one(tx, tx`SELECT id FROM addresses WHERE merchant_id = ${id}`)
      await addRise(tx, address, 9, await journalOf(tx, id, 'transfer'))
    },
  },
  ...(['foreign_spends', 'balance_falls'] as const).map(
    (table): Corruption => ({
      name: `a row of ${table} whose journal was reversed`,
      check: 'journals',
      says: ['booked', null],
      corrupt: async (tx, id) => {
        const reversed = await one(
          tx,
          tx`SELECT reverses AS id FROM ledger_journals WHERE merchant_id = ${id} AND type = 'foreign_spend.reverted'`,
        )
        await (table === 'foreign_spends'
          ? tx`
              INSERT INTO foreign_spends (network, txid, merchant_id, block_number, block_hash, journal_id)
              VALUES ('bitcoin', 'forged', ${id}, 1, '', ${reversed})`
          : tx`
              INSERT INTO balance_falls (network, merchant_id, address_id, coin, block_number, amount, journal_id)
              VALUES ('bitcoin', ${id}, 'forged', 'btc', 1, 1, ${reversed})`)
      },
    }),
  ),
  moved('a journal of a type that the platform does not know', 'gift'),
]
