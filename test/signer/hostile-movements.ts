/** Makes requests of a platform that uses movements, which no person approves, to get at the money. */

import { decide } from '../../signer/decide.js'
import type { SignerState } from '../../signer/state.js'
import {
  alice,
  aliceSecond,
  BTC_STRANGER,
  bob,
  btcRequest,
  call,
  ethRequest,
  makeState,
  RECIPIENT,
  STRANGER,
  type StateOptions,
} from './fixture.js'
import type { HostileCase } from './hostile.js'
import {
  at,
  BTC_MASTER_PATH,
  btcAt,
  CONSOLIDATION_FEE,
  consolidate,
  DEPOSIT_PATH,
  GAS_PATH,
  gasFunding,
  HOT_PATH,
  MASTER_PATH,
  movementState,
  rebalance,
  SMALL_COINS,
  sweep,
  tokenSweep,
} from './movements-fixture.js'

const WEI = 10n ** 18n
const GAS = (WEI / 500n).toString()
/** Makes a payout from a coin that the honest consolidation spends. */
const SMALL_INTENT = { outputs: [{ address: BTC_STRANGER, amount: '90000' }] }
const SMALL_PAYOUT = {
  coins: SMALL_COINS.slice(0, 1),
  outputs: [{ address: BTC_STRANGER, amount: 90_000n }],
}

function of(
  name: string,
  check: string,
  code: HostileCase['code'],
  request: () => unknown,
  state: () => SignerState = () => movementState(),
  behind?: string,
): HostileCase {
  return {
    name,
    check,
    code,
    make: () => ({ request: request(), state: state() }),
    ...(behind ? { behind } : {}),
  }
}

/** Makes a state that signed these requests. */
function after(requests: readonly unknown[], options: StateOptions = {}) {
  return () => {
    const state = movementState(options)
    for (const request of requests) {
      const decision = decide(request, state)
      if (decision.outcome !== 'signed') throw new Error(`${decision.code}: ${decision.message}`)
    }
    return state
  }
}

/** Makes the same gas funding for another address, under another id and nonce. */
function furtherGas(index: number) {
  const path = `m/44'/60'/0'/0/${index}`
  return gasFunding({
    intent: { withdrawal: `mov_gas_${index}`, outputs: [{ address: at(path), amount: GAS }] },
    payload: { to: at(path), nonce: 10 + index },
    destination_path: path,
  })
}

const paidTo = (address: string) => ({ outputs: [{ address, amount: WEI.toString() }] })

/** Makes a consolidation without a fee whose parents are invented, which only a node could notice. */
export function inventedGathering(index: number) {
  const coin = { path: `m/84'/1'/0'/0/${index}`, amount: 100_000n }
  return consolidate({
    intent: {
      withdrawal: `mov_invented${index}`,
      outputs: [{ address: btcAt(BTC_MASTER_PATH), amount: '100000' }],
    },
    psbt: { coins: [coin], outputs: [{ address: btcAt(BTC_MASTER_PATH), amount: 100_000n }] },
  })
}

/** Makes the honest consolidation with a fee that is higher by so much. */
const withHigherFee = (more: number) => ({
  outputs: [{ address: btcAt(BTC_MASTER_PATH), amount: 600_000n - CONSOLIDATION_FEE - BigInt(more) }],
})

/** Requests that one check refuses, alone or in front of another. */
export const HOSTILE_MOVEMENTS: readonly HostileCase[] = [
  of(
    'one consolidation of coins that do not exist, at no fee, more than there may be a day',
    'within-movement-count',
    'POLICY_LIMIT',
    () => inventedGathering(3),
    after([inventedGathering(0), inventedGathering(1), inventedGathering(2)], {
      policy: (file) =>
        void Object.assign(file.networks.bitcoin?.movements ?? {}, {
          daily_count: { consolidation: 3, gas_funding: 0, rebalance: 0 },
        }),
    }),
  ),
  of(
    'another payload of a consolidation that has been signed a hundred times',
    'within-attempt-count',
    'POLICY_LIMIT',
    () => consolidate({ psbt: withHigherFee(100) }),
    after(Array.from({ length: 100 }, (_, fee) => consolidate({ psbt: withHigherFee(fee) }))),
  ),
  of(
    'a movement with an outpoint that a payout was signed with',
    'outpoints-free',
    'CONFLICT_SET',
    () => consolidate(),
    after([btcRequest({ intent: SMALL_INTENT, psbt: SMALL_PAYOUT })]),
  ),
  of(
    'a consolidation where the policy does not list it',
    'kind-allowed',
    'KIND_NOT_ALLOWED',
    () => sweep(),
    () => movementState({ policy: (file) => void Object.assign(file, { allowed_kinds: ['withdrawal'] }) }),
  ),

  // These have a wrong destination.
  of('a withdrawal disguised as a consolidation', 'destination-mine', 'RECIPIENT_MISMATCH', () =>
    sweep({ intent: paidTo(STRANGER), payload: { to: STRANGER } }),
  ),
  of('tokens for a stranger as a consolidation', 'destination-mine', 'RECIPIENT_MISMATCH', () =>
    tokenSweep({
      intent: { outputs: [{ address: STRANGER, amount: '25000000' }] },
      payload: { data: call('transfer', STRANGER, 25_000_000n) },
    }),
  ),
  of('gas for a stranger', 'destination-mine', 'RECIPIENT_MISMATCH', () =>
    gasFunding({ intent: { outputs: [{ address: STRANGER, amount: GAS }] }, payload: { to: STRANGER } }),
  ),
  of('a stranger as master wallet', 'destination-mine', 'RECIPIENT_MISMATCH', () =>
    rebalance('up', { intent: paidTo(STRANGER), payload: { to: STRANGER } }),
  ),
  of('small outputs consolidated to a stranger', 'destination-mine', 'RECIPIENT_MISMATCH', () =>
    consolidate({
      intent: { outputs: [{ address: BTC_STRANGER, amount: '600000' }] },
      psbt: {
        coins: SMALL_COINS,
        outputs: [{ address: BTC_STRANGER, amount: 600_000n - CONSOLIDATION_FEE }],
      },
    }),
  ),
  of('a stranger beside the own wallet', 'destination-mine', 'RECIPIENT_MISMATCH', () =>
    consolidate({
      intent: {
        fee_payer: 'sender',
        outputs: [
          { address: btcAt("m/84'/1'/1'/0/0"), amount: '100000' },
          { address: BTC_STRANGER, amount: '498000' },
        ],
      },
      psbt: {
        coins: SMALL_COINS,
        outputs: [
          { address: btcAt("m/84'/1'/1'/0/0"), amount: 100_000n },
          { address: BTC_STRANGER, amount: 498_000n },
        ],
      },
    }),
  ),
  of(
    'gas for an address that the policy names as treasury',
    'destination-mine',
    'RECIPIENT_MISMATCH',
    () =>
      gasFunding({ intent: { outputs: [{ address: STRANGER, amount: GAS }] }, payload: { to: STRANGER } }),
    () => movementState({ policy: treasury(STRANGER) }),
  ),
  of('a consolidation to a deposit address', 'destination-allowed', 'OUTPUT_NOT_ALLOWED', () => {
    const path = "m/44'/60'/0'/0/8"
    return sweep({ intent: paidTo(at(path)), payload: { to: at(path) }, destination_path: path })
  }),
  of('a consolidation to a hot wallet', 'destination-allowed', 'OUTPUT_NOT_ALLOWED', () =>
    sweep({ intent: paidTo(at(HOT_PATH)), payload: { to: at(HOT_PATH) }, destination_path: HOT_PATH }),
  ),
  of('a consolidation to a key beyond the index bound', 'destination-allowed', 'OUTPUT_NOT_ALLOWED', () => {
    const path = "m/44'/60'/1'/0/1001"
    return sweep({ intent: paidTo(at(path)), payload: { to: at(path) }, destination_path: path })
  }),
  of(
    'a consolidation to a branch that no wallet searches',
    'destination-allowed',
    'OUTPUT_NOT_ALLOWED',
    () => {
      const path = "m/44'/60'/1'/7/0"
      return sweep({ intent: paidTo(at(path)), payload: { to: at(path) }, destination_path: path })
    },
  ),
  of('gas for a hot wallet', 'destination-allowed', 'OUTPUT_NOT_ALLOWED', () =>
    gasFunding({
      intent: { outputs: [{ address: at(HOT_PATH), amount: GAS }] },
      payload: { to: at(HOT_PATH) },
      destination_path: HOT_PATH,
    }),
  ),
  of('a rebalance to a deposit address', 'destination-allowed', 'OUTPUT_NOT_ALLOWED', () =>
    rebalance('down', {
      intent: paidTo(at(DEPOSIT_PATH)),
      payload: { to: at(DEPOSIT_PATH) },
      destination_path: DEPOSIT_PATH,
      by: [alice, bob],
    }),
  ),
  of('gas in tokens, which no budget counts', 'gas-funding-in-native-coin', 'ASSET_MISMATCH', () => {
    const { asset } = tokenSweep().intent
    return gasFunding({
      intent: { asset, outputs: [{ address: at(DEPOSIT_PATH), amount: '1000' }] },
      payload: {
        to: asset.contract ?? '',
        value: '0',
        data: call('transfer', at(DEPOSIT_PATH), 1_000n),
        gas: '65000',
      },
    })
  }),

  // These have a wrong payer.
  ...[MASTER_PATH, HOT_PATH, GAS_PATH].map((path) =>
    of(`a consolidation paid from ${path}`, 'paying-path-allowed', 'UNKNOWN_INPUT', () =>
      sweep({ payload: { from: at(path), derivation_path: path } }),
    ),
  ),
  of('gas funding paid from the master wallet', 'paying-path-allowed', 'UNKNOWN_INPUT', () =>
    gasFunding({ payload: { from: at(MASTER_PATH), derivation_path: MASTER_PATH } }),
  ),
  of(
    'a rebalance to the master wallet paid from a deposit address',
    'paying-path-allowed',
    'UNKNOWN_INPUT',
    () => rebalance('up', { payload: { from: at(DEPOSIT_PATH), derivation_path: DEPOSIT_PATH } }),
  ),
  of('a rebalance from one hot wallet to another', 'paying-path-allowed', 'UNKNOWN_INPUT', () => {
    const other = "m/44'/60'/2'/0/2"
    return rebalance('down', { payload: { from: at(other), derivation_path: other }, by: [alice, bob] })
  }),
  of('a withdrawal paid from the gas wallet', 'paying-path-allowed', 'UNKNOWN_INPUT', () =>
    ethRequest({ payload: { from: at(GAS_PATH), derivation_path: GAS_PATH } }),
  ),
  of('outputs of a hot wallet consolidated without approval', 'input-paths-allowed', 'UNKNOWN_INPUT', () =>
    consolidate({
      psbt: { coins: [...SMALL_COINS.slice(0, 2), { path: "m/84'/1'/2'/0/0", amount: 300_000n }] },
    }),
  ),

  // These lack approvals.
  of('a hot wallet filled without approval', 'quorum-met', 'QUORUM_NOT_MET', () => rebalance('down')),
  of('a hot wallet filled with one approval', 'quorum-met', 'QUORUM_NOT_MET', () =>
    rebalance('down', { by: [alice] }),
  ),
  of('a hot wallet filled with two keys of one person', 'quorum-met', 'QUORUM_NOT_MET', () =>
    rebalance('down', { by: [alice, aliceSecond] }),
  ),
  of(
    'a hot wallet filled under a policy that pins no approver',
    'quorum-configured',
    'QUORUM_NOT_MET',
    () => rebalance('down'),
    () => movementState({ policy: (file) => void Object.assign(file, { quorum: 0, approvers: [] }) }),
  ),
  of('a hot wallet that is called the master wallet', 'destination-mine', 'RECIPIENT_MISMATCH', () =>
    rebalance('down', {
      destination_path: MASTER_PATH,
      payload: { from: at(HOT_PATH), derivation_path: HOT_PATH },
    }),
  ),
  of(
    'a withdrawal without approval, with a path of the master wallet',
    'quorum-met',
    'QUORUM_NOT_MET',
    () => ({
      ...ethRequest(),
      approvals: [],
      destination_path: MASTER_PATH,
    }),
  ),

  // These exceed a budget.
  of(
    'a fee beyond the budget of the day',
    'within-fee-budget',
    'POLICY_LIMIT',
    () => sweep(),
    () => movementState({ policy: budget({ daily_fee: '0.0007' }) }),
  ),
  of(
    'a fee beyond what is left of the day',
    'within-fee-budget',
    'POLICY_LIMIT',
    () => tokenSweep(),
    after([sweep()], { policy: budget({ daily_fee: '0.0027' }) }),
  ),
  of(
    'a bump beyond what is left of the day',
    'within-fee-budget',
    'POLICY_LIMIT',
    () => tokenSweep({ payload: { max_fee_per_gas: '60000000000' } }),
    after([tokenSweep()], { policy: budget({ daily_fee: '0.003' }) }),
  ),
  of(
    'a movement on a network without budgets',
    'within-fee-budget',
    'POLICY_LIMIT',
    () => sweep(),
    () => makeState({ policy: (file) => void file.allowed_kinds.push('consolidation') }),
  ),
  of(
    'a fee of small outputs beyond the budget',
    'within-fee-budget',
    'POLICY_LIMIT',
    () => consolidate(),
    () =>
      movementState({
        policy: (file) =>
          void Object.assign(file.networks.bitcoin?.movements ?? {}, { daily_fee: '0.00001999' }),
      }),
  ),
  of('more gas than one address may get', 'within-gas-funding-limit', 'POLICY_LIMIT', () => {
    const amount = (WEI / 500n + 1n).toString()
    return gasFunding({
      intent: { outputs: [{ address: at(DEPOSIT_PATH), amount }] },
      payload: { value: amount },
    })
  }),
  of(
    'gas beyond the budget of the day',
    'within-gas-funding-budget',
    'POLICY_LIMIT',
    () => furtherGas(2),
    after([gasFunding(), furtherGas(1)]),
  ),
]

function treasury(...addresses: string[]): NonNullable<StateOptions['policy']> {
  return (file) => void Object.assign(file.networks.ethereum?.movements ?? {}, { treasury: addresses })
}

function budget(change: Record<string, string>): NonNullable<StateOptions['policy']> {
  return (file) => void Object.assign(file.networks.ethereum?.movements ?? {}, change)
}

/** Address of another seed that the policy names, to which coins may go without approval. */
export const NAMED_TREASURY = () => ({
  state: movementState({ policy: treasury(RECIPIENT.toLowerCase()) }),
  requests: [
    sweep({ intent: paidTo(RECIPIENT), payload: { to: RECIPIENT }, destination_path: '' }),
    rebalance('up', { intent: paidTo(RECIPIENT), payload: { to: RECIPIENT }, destination_path: '' }),
  ].map(({ destination_path: _, ...request }) => request),
})
