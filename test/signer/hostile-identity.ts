/**
 * Makes sequences of a platform that lets one intent pass for another in the journal. Only the last request
 * is hostile.
 */

import type { RefusalCode, SigningRequest } from '../../domain/signing/signer-protocol.js'
import { decide } from '../../signer/decide.js'
import type { SignerState } from '../../signer/state.js'
import {
  alice,
  approve,
  BTC_STRANGER,
  bob,
  btcRequest,
  type Coin,
  ethRequest,
  HOUR,
  iso,
  MINUTE,
  NOW,
  type StateOptions,
} from './fixture.js'
import type { HostileCase } from './hostile.js'
import { batchState, btcPart, PART_COINS } from './hostile-batches.js'
import { ethCancel } from './hostile-cancel.js'
import { btcAt, consolidate, movementPolicy, SMALL_COINS, sweep } from './movements-fixture.js'

/** Requests that a platform sends one after the other. */
export interface HostileSequence {
  readonly name: string
  readonly state: () => SignerState
  /** Requests that come first. The signer signs them or not. */
  readonly before: () => readonly SigningRequest[]
  readonly hostile: () => SigningRequest
  /** Code of the refusal, also where ids may be any text. */
  readonly code: RefusalCode
}

/** Makes a state that allows movements and batches. */
export function identityState(options: StateOptions = {}): SignerState {
  return batchState({
    ...options,
    policy: (file) => {
      movementPolicy(file)
      options.policy?.(file)
    },
  })
}

/** Name that older journals gave a part of the batch. */
export const PART_NAME = 'batch_btc#0'
/** Makes a movement, which no person approves, under the name of a part. */
export const namesake = (id = PART_NAME) =>
  consolidate({ intent: { withdrawal: id, created_at: iso(-MINUTE) } })

const [firstCoin, secondCoin, thirdCoin] = PART_COINS
if (!firstCoin || !secondCoin || !thirdCoin) throw new Error('The fixture has three coins')
/** Coins that the namesake spends, so that a payload can stand in its record. */
const WITH_SMALL: readonly Coin[] = [...SMALL_COINS, firstCoin]
type PartChange = NonNullable<Parameters<typeof btcPart>[1]>
const behindNamesake = (items: readonly number[], change: PartChange = {}) =>
  btcPart(items, { coins: WITH_SMALL, ...change })

function staleApprovals(): SigningRequest {
  const request = behindNamesake([0], { intent: { created_at: iso(-8 * HOUR) } })
  const signedAt = iso(-7 * HOUR)
  return {
    ...request,
    approvals: [alice, bob].map((each) => approve(request.intent_hash, each, { signedAt })),
  }
}

function restoredState(): SignerState {
  let now = NOW - 5 * MINUTE
  const state = identityState({ now: () => now })
  state.journal.append({ type: 'restored', reason: 'test' })
  now = NOW
  return state
}

const dailyLimit: NonNullable<StateOptions['policy']> = (file) => {
  const btc = file.networks.bitcoin?.assets.btc
  if (btc) btc.daily = '0.2'
}
const feeLimit = { fee_limit: { coin: 'btc', amount: '5999' } }

/** Makes an approved payout of another intent from a coin of a part. */
const otherPayout = () =>
  btcRequest({
    intent: { withdrawal: 'withdrawal_other', outputs: [{ address: BTC_STRANGER, amount: '69997000' }] },
    psbt: { coins: [firstCoin], outputs: [{ address: BTC_STRANGER, amount: 69_997_000n }] },
  })

/** Makes a consolidation of a part's coin in the part's name. */
const consolidatedPart = () => {
  const to = btcAt("m/84'/1'/1'/0/0")
  return consolidate({
    intent: { withdrawal: PART_NAME, outputs: [{ address: to, amount: '70000000' }] },
    psbt: { coins: [firstCoin], outputs: [{ address: to, amount: 69_998_000n }] },
  })
}

export const HOSTILE_SEQUENCES: readonly HostileSequence[] = [
  {
    name: 'a row of a batch twice, from other coins',
    state: () => identityState(),
    before: () => [namesake(), behindNamesake([0, 1])],
    hostile: () => btcPart([1], { coins: [secondCoin] }),
    code: 'CONFLICT_SET',
  },
  {
    name: 'a part above the daily limit',
    state: () => identityState({ policy: dailyLimit }),
    before: () => [namesake()],
    hostile: () => behindNamesake([0, 1]),
    code: 'POLICY_LIMIT',
  },
  {
    name: 'a part of a batch that has expired',
    state: () => identityState(),
    before: () => [namesake()],
    hostile: () => behindNamesake([0], { intent: { expires_at: iso(-MINUTE) } }),
    code: 'INTENT_EXPIRED',
  },
  {
    name: 'a part with approvals that are too old',
    state: () => identityState(),
    before: () => [namesake()],
    hostile: staleApprovals,
    code: 'APPROVAL_STALE',
  },
  {
    name: 'a part of a batch that is older than a restore',
    state: restoredState,
    before: () => [namesake()],
    hostile: () => behindNamesake([0]),
    code: 'JOURNAL_STALE',
  },
  {
    name: 'a part that the fees of another part leave nothing for',
    state: () => identityState(),
    before: () => [namesake(), behindNamesake([0], { intent: feeLimit })],
    hostile: () => btcPart([1], { coins: [secondCoin], intent: feeLimit }),
    code: 'FEE_TOO_HIGH',
  },
  {
    name: 'a movement that takes the coins of a signed part',
    state: () => identityState(),
    before: () => [btcPart([0])],
    hostile: consolidatedPart,
    code: 'CONFLICT_SET',
  },
  {
    name: 'a part with the coins of another part, which another payout was signed with since',
    state: () => identityState(),
    before: () => [btcPart([0]), otherPayout()],
    hostile: () => btcPart([2]),
    code: 'CONFLICT_SET',
  },
]

function of(
  name: string,
  check: string,
  code: HostileCase['code'],
  request: () => unknown,
  before: () => readonly SigningRequest[] = () => [],
): HostileCase {
  const make = () => {
    const state = identityState()
    for (const each of before()) {
      const decision = decide(each, state)
      if (decision.outcome !== 'signed') throw new Error(`${decision.code}: ${decision.message}`)
    }
    return { request: request(), state }
  }
  return { name, check, code, make }
}

const OTHER = { signer: 'sig_2' }
const NONE = { signer: undefined }
/** Makes a cancellation that fills a gap below a signed nonce, in the name of an older platform's intent. */
const oldGap = () => ethCancel({ intent: { ...NONE, withdrawal: 'withdrawal_gap' }, payload: { nonce: 4 } })

/** Requests whose id is not of their kind, and intents that name another signer or none. */
export const HOSTILE_IDENTITIES: readonly HostileCase[] = [
  of('a movement under the old name of a part of a batch', 'id-of-its-kind', 'MALFORMED', () => namesake()),
  of('a movement under the id of a withdrawal', 'id-of-its-kind', 'MALFORMED', () =>
    namesake('withdrawal_btc'),
  ),
  of('a movement under the id of a batch', 'id-of-its-kind', 'MALFORMED', () => namesake('batch_btc')),
  of('a batch under the id of a withdrawal', 'id-of-its-kind', 'MALFORMED', () =>
    btcPart([0], { intent: { withdrawal: 'withdrawal_btc' } }),
  ),
  of('a withdrawal under the id of a batch', 'id-of-its-kind', 'MALFORMED', () =>
    btcRequest({ intent: { withdrawal: 'batch_btc' } }),
  ),
  ...['withdrawal_a#0', 'withdrawal_', 'withdrawal_A', 'withdrawal_a\n', `withdrawal_${'a'.repeat(65)}`].map(
    (id) =>
      of(`a withdrawal called ${JSON.stringify(id)}`, 'id-of-its-kind', 'MALFORMED', () =>
        btcRequest({ intent: { withdrawal: id } }),
      ),
  ),
  of('a withdrawal that another signer is to pay', 'signer-matches', 'SIGNER_MISMATCH', () =>
    ethRequest({ intent: OTHER }),
  ),
  of('a part of a batch that another signer is to pay', 'signer-matches', 'SIGNER_MISMATCH', () =>
    btcPart([0], { intent: OTHER }),
  ),
  of('a movement between wallets that another signer keeps', 'signer-matches', 'SIGNER_MISMATCH', () =>
    sweep({ intent: OTHER }),
  ),
  of(
    'a gap filled in the name of what another signer is to pay',
    'signer-matches',
    'SIGNER_MISMATCH',
    () => ethCancel({ intent: { ...OTHER, withdrawal: 'withdrawal_gap' }, payload: { nonce: 4 } }),
    () => [ethRequest()],
  ),
  of('a withdrawal that no signer is named for', 'signer-matches', 'MALFORMED', () =>
    ethRequest({ intent: NONE }),
  ),
  of('a movement that no signer is named for', 'signer-matches', 'MALFORMED', () => sweep({ intent: NONE })),
  of(
    'a payout that no signer is named for, behind a cancellation that opened its record',
    'signer-matches',
    'MALFORMED',
    () => ethRequest({ intent: { ...NONE, withdrawal: 'withdrawal_gap' }, payload: { nonce: 4 } }),
    () => [ethRequest(), oldGap()],
  ),
]
