/** Corruptions of payouts, and of the nonces, outputs and keys by which they pay. */

import { expect } from 'vitest'
import type { Transaction } from '../../../db/connect.js'
import type { WithdrawalStage } from '../../../domain/payouts/withdrawal-stage.js'
import {
  betweenAddresses,
  type Corruption,
  change,
  forge,
  NUMBER,
  networkOf,
  one,
  report,
  TEXT,
} from './corruption.js'

interface Which {
  readonly coin: 'btc' | 'eth' | 'usdt'
  readonly stage: WithdrawalStage
  readonly kind?: 'withdrawal' | 'gas_funding' | 'consolidation'
  readonly feePayer?: 'sender' | 'recipient'
  /** Whether an attempt of it is final. Default: as the stage says. */
  readonly mined?: boolean
}

const payout = (tx: Transaction, id: string, which: Which) =>
  one(
    tx,
    tx`SELECT id FROM payouts
       WHERE merchant_id = ${id} AND coin = ${which.coin} AND stage = ${which.stage}
         AND kind = ${which.kind ?? 'withdrawal'} AND fee_payer = ${which.feePayer ?? 'sender'}
         AND ${which.mined ?? null}::boolean IS NOT DISTINCT FROM (
           CASE WHEN ${which.mined ?? null}::boolean IS NOT NULL
             THEN EXISTS (SELECT FROM attempts WHERE payout_id = payouts.id AND state = 'final') END)
       ORDER BY id`,
  )

/** A settlement that moves coins between the merchant's addresses, of a payout that has ended. */
const settledAgain = (name: string, which: Which, says: Corruption['says']): Corruption => ({
  name,
  check: 'payouts',
  says,
  corrupt: async (tx, id) => {
    const reference = await payout(tx, id, which)
    const entries = await betweenAddresses(tx, id, which.coin)
    await forge(tx, id, { type: 'withdrawal.settled', reference }, entries)
  },
})

/** A figure of a payout that has ended, or of its final attempt. */
const figure = (name: string, of: 'payout.amount' | 'payout.fee' | 'attempt.amount', which: Which) => ({
  name,
  check: 'payouts' as const,
  says: [NUMBER, NUMBER] as const,
  corrupt: async (tx: Transaction, id: string) => {
    const found = await payout(tx, id, which)
    await change(
      of === 'attempt.amount'
        ? tx`UPDATE attempts SET amount = amount + 1 WHERE payout_id = ${found} AND state = 'final'`
        : of === 'payout.fee'
          ? tx`UPDATE payouts SET fee = fee + 1 WHERE id = ${found}`
          : tx`UPDATE payouts SET amount = amount + 1 WHERE id = ${found}`,
    )
  },
})

const nonceOf = async (tx: Transaction, id: string, which: Which) => {
  const found = await payout(tx, id, which)
  return one(tx, tx`SELECT nonce AS id FROM nonces WHERE payout_id = ${found}`)
}

/** A change of the nonce of a payout. */
const nonce = (
  name: string,
  says: Corruption['says'],
  which: Which,
  corrupt: (tx: Transaction, nonce: string) => Promise<unknown>,
): Corruption => ({
  name,
  check: 'nonces',
  says,
  corrupt: async (tx, id) => corrupt(tx, await nonceOf(tx, id, which)),
})

/** A nonce that no attempt has. */
const addedNonce = (
  name: string,
  state: 'allocated' | 'signed' | 'used',
  says: Corruption['says'],
  find: (tx: Transaction, id: string) => Promise<string>,
): Corruption => ({
  name,
  check: 'nonces',
  says,
  corrupt: async (tx, id) =>
    change(tx`
      INSERT INTO nonces (network, address, nonce, state, payout_id)
      SELECT network, address, 7777, ${state}, ${await find(tx, id)} FROM addresses
      WHERE merchant_id = ${id} AND network = 'ethereum' AND kind = 'hot'`),
})

/** A change of one open reservation. */
const reservation = (
  name: string,
  says: Corruption['says'],
  corrupt: (tx: Transaction, reservation: string, id: string) => Promise<unknown>,
): Corruption => ({
  name,
  check: 'reservations',
  says,
  corrupt: async (tx, id) =>
    corrupt(
      tx,
      await one(
        tx,
        tx`SELECT reservation.id FROM utxo_reservations reservation JOIN payouts payout ON payout.id = payout_id
           WHERE merchant_id = ${id} AND released_at IS NULL ORDER BY reservation.id`,
      ),
      id,
    ),
})

const CONFIRMED: Which = { coin: 'btc', stage: 'confirmed' }
const TOKEN: Which = { coin: 'usdt', stage: 'confirmed' }
const OPEN_TOKEN: Which = { coin: 'usdt', stage: 'confirming' }
const REVERTED: Which = { coin: 'usdt', stage: 'reverted' }
const CANCELLED: Which = { coin: 'eth', stage: 'cancelled', mined: true }
const SETTLED = 'withdrawal.settled'

export const PAYOUTS: readonly Corruption[] = [
  settledAgain('a withdrawal that is settled twice', CONFIRMED, [SETTLED, `${SETTLED}, ${SETTLED}`]),
  settledAgain('a settled withdrawal that failed', { coin: 'eth', stage: 'failed' }, [null, SETTLED]),
  settledAgain('a settled withdrawal that was cancelled unsent', { coin: 'btc', stage: 'cancelled' }, [
    null,
    SETTLED,
  ]),
  settledAgain('a settled withdrawal that waits for people', { coin: 'btc', stage: 'requested' }, [
    null,
    SETTLED,
  ]),
  {
    name: 'a confirmed withdrawal that is not settled',
    check: 'payouts',
    says: [SETTLED, null],
    corrupt: async (tx, id) => {
      const failed = await payout(tx, id, { coin: 'eth', stage: 'failed' })
      await change(tx`UPDATE payouts SET stage = 'confirmed' WHERE id = ${failed}`)
      await report(tx, failed, 'withdrawal.status_changed', 'confirmed')
    },
  },
  {
    name: 'a cancelled withdrawal that is booked as settled',
    check: 'payouts',
    says: ['withdrawal.cancelled', SETTLED],
    corrupt: async (tx, id) =>
      change(tx`
        UPDATE ledger_journals SET type = ${SETTLED}
        WHERE type = 'withdrawal.cancelled' AND reference = ${await payout(tx, id, CANCELLED)}`),
  },
  {
    name: 'a reverted withdrawal that counts as paid',
    check: 'payouts',
    says: ['30', '0'],
    corrupt: async (tx, id) => {
      const reverted = await payout(tx, id, REVERTED)
      await change(tx`UPDATE payouts SET stage = 'confirmed' WHERE id = ${reverted}`)
      await report(tx, reverted, 'withdrawal.status_changed', 'confirmed')
    },
  },
  figure('the amount of a paid withdrawal', 'payout.amount', CONFIRMED),
  figure('the fee of a paid withdrawal', 'payout.fee', CONFIRMED),
  figure('the fee of a paid withdrawal of a token', 'payout.fee', TOKEN),
  figure('the fee of a withdrawal that reverted', 'payout.fee', REVERTED),
  figure('the fee of a withdrawal that another transaction cancelled', 'payout.fee', CANCELLED),
  figure('what a recipient got who paid the fee', 'attempt.amount', {
    coin: 'eth',
    stage: 'confirmed',
    feePayer: 'recipient',
  }),
  figure('the fee of a movement', 'payout.fee', { coin: 'eth', stage: 'confirmed', kind: 'gas_funding' }),
  figure('the amount of a movement of a token', 'attempt.amount', {
    coin: 'usdt',
    stage: 'confirmed',
    kind: 'consolidation',
  }),
  figure('the fee of a movement of a token', 'payout.fee', {
    coin: 'usdt',
    stage: 'confirmed',
    kind: 'consolidation',
  }),

  addedNonce(
    'a nonce that is kept for a payout that does not exist',
    'allocated',
    ['an open payout', 'withdrawal_gone'],
    async () => 'withdrawal_gone',
  ),
  nonce('a nonce that is kept for a payout that has ended', ['an open payout', TEXT], TOKEN, (tx, each) =>
    change(tx`UPDATE nonces SET state = 'signed' WHERE nonce = ${each}`),
  ),
  addedNonce('a signed nonce without an attempt', 'signed', ['a signed attempt', TEXT], (tx, id) =>
    payout(tx, id, { coin: 'eth', stage: 'approved', kind: 'gas_funding' }),
  ),
  addedNonce('a used nonce without an attempt', 'used', ['a signed attempt', TEXT], (tx, id) =>
    payout(tx, id, TOKEN),
  ),
  nonce('an attempt whose nonce no one keeps', [TEXT, null], OPEN_TOKEN, (tx, each) =>
    change(tx`DELETE FROM nonces WHERE nonce = ${each}`),
  ),
  nonce('an attempt whose nonce is free for others', [TEXT, 'free'], OPEN_TOKEN, (tx, each) =>
    change(tx`UPDATE nonces SET state = 'free' WHERE nonce = ${each}`),
  ),
  nonce('an attempt whose nonce belongs to another payout', [TEXT, 'withdrawal_other'], TOKEN, (tx, each) =>
    change(tx`UPDATE nonces SET payout_id = 'withdrawal_other' WHERE nonce = ${each}`),
  ),

  {
    name: 'an output that stays reserved for a payout that has ended',
    check: 'reservations',
    says: [null, TEXT],
    corrupt: async (tx, id) => {
      const ended = await payout(tx, id, CONFIRMED)
      const reserved = tx`SELECT id FROM utxo_reservations WHERE payout_id = ${ended} ORDER BY id`
      await change(tx`
        UPDATE utxo_reservations SET released_at = NULL WHERE id = ${await one(tx, reserved)}`)
    },
  },
  reservation('an output that is reserved for no payout', [null, 'withdrawal_gone'], (tx, each) =>
    change(tx`UPDATE utxo_reservations SET payout_id = 'withdrawal_gone' WHERE id = ${each}`),
  ),
  reservation(
    'an output that is reserved for a payout that does not spend it',
    [null, TEXT],
    async (tx, each, id) =>
      change(tx`
        UPDATE utxo_reservations SET payout_id = ${await payout(tx, id, { coin: 'btc', stage: 'requested' })}
        WHERE id = ${each}`),
  ),
  reservation('an open attempt whose output is not reserved', [TEXT, null], (tx, each) =>
    change(tx`UPDATE utxo_reservations SET released_at = now() WHERE id = ${each}`),
  ),

  ...(['btc', 'eth'] as const).map(
    (coin): Corruption => ({
      name: `the counter of the addresses of ${networkOf(coin)}`,
      check: 'address_counters',
      says: [expect.stringMatching(/^above \d+$/), NUMBER],
      corrupt: (tx, id) =>
        change(tx`
          UPDATE key_accounts SET next_index = next_index - 1
          WHERE merchant_id = ${id} AND network = ${networkOf(coin)} AND role = 'deposit' AND next_index > 0`),
    }),
  ),
  {
    name: 'an address below the counter that is missing',
    check: 'address_counters',
    says: [NUMBER, NUMBER],
    corrupt: async (tx, id) => {
      const first = tx`
        SELECT address.id FROM addresses address JOIN key_accounts key ON key.id = address.key_account_id
        WHERE key.merchant_id = ${id} AND key.role = 'deposit' AND key.next_index > 1 AND address.index = 0
          AND address.branch = 0`
      await change(tx`DELETE FROM addresses WHERE id = ${await one(tx, first)}`)
    },
  },
]
