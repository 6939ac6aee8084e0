/**
 * Makes requests of a platform that uses the parts of an approved batch to pay another recipient, more, or
 * twice.
 */

import type { SigningRequest } from '../../domain/signing/signer-protocol.js'
import { decide } from '../../signer/decide.js'
import type { SignerState } from '../../signer/state.js'
import {
  BTC_RECIPIENT,
  BTC_STRANGER,
  btcRequest,
  CHANGE_PATH,
  type Coin,
  call,
  ethRequest,
  makeState,
  ownScript,
  type PsbtOutput,
  RECIPIENT,
  STRANGER,
  type StateOptions,
  usdtRequest,
} from './fixture.js'
import type { HostileCase } from './hostile.js'
import { ethCancel } from './hostile-cancel.js'

const ETHER = 10n ** 18n
/** Fee of 21,000 gas at 30 gwei, as in the fixture's payload. */
export const ETH_FEE = 21_000n * 30n * 10n ** 9n
/** Outputs of the batch: two rows to one address, and one to another. */
const ETH_OUTPUTS = [
  { address: RECIPIENT, amount: `${ETHER}` },
  { address: RECIPIENT, amount: `${ETHER}` },
  { address: STRANGER, amount: `${2n * ETHER}` },
]
const BTC_OUTPUTS = [
  { address: BTC_RECIPIENT, amount: '10000000' },
  { address: BTC_STRANGER, amount: '20000000' },
  { address: BTC_RECIPIENT, amount: '30000000' },
]
/** Coins, one for each part, so that parts do not exclude each other on the chain. */
export const PART_COINS: readonly Coin[] = [1, 2, 3].map((salt) => ({
  path: `m/84'/1'/0'/0/${salt}`,
  amount: 70_000_000n,
  salt,
}))
const BTC_FEE = 3_000n

export function batchState(options: StateOptions = {}): SignerState {
  return makeState({
    ...options,
    policy: (file) => {
      file.allowed_kinds.push('batch')
      options.policy?.(file)
    },
  })
}

type EthChange = Parameters<typeof ethRequest>[0]

/** Makes the part of an ETH batch that pays one item, with a nonce of its own. */
export function ethPart(
  item: number,
  change: EthChange & { items?: readonly number[] } = {},
): SigningRequest {
  const output = ETH_OUTPUTS[item]
  const request = ethRequest({
    intent: { kind: 'batch', withdrawal: 'batch_eth', outputs: ETH_OUTPUTS, ...change.intent },
    payload: { to: output?.address ?? '', value: output?.amount ?? '', nonce: 10 + item, ...change.payload },
  })
  return { ...request, id: `srq_part_${item}`, items: change.items ?? [item] }
}

/** Makes the part of a BTC batch that pays items in one transaction. */
export function btcPart(
  items: readonly number[],
  change: {
    readonly intent?: Parameters<typeof btcRequest>[0] extends { intent?: infer T } | undefined ? T : never
    readonly coins?: readonly Coin[]
    readonly outputs?: (paid: PsbtOutput[]) => PsbtOutput[]
    readonly fee?: bigint
  } = {},
): SigningRequest {
  const coins = change.coins ?? PART_COINS.slice(0, 1)
  const paid = items.map((item): PsbtOutput => {
    const output = BTC_OUTPUTS[item]
    return { address: output?.address ?? '', amount: BigInt(output?.amount ?? 0) }
  })
  const listed = change.outputs?.(paid) ?? paid
  const rest =
    coins.reduce((sum, coin) => sum + coin.amount, 0n) -
    listed.reduce((sum, output) => sum + output.amount, 0n) -
    (change.fee ?? BTC_FEE)
  const request = btcRequest({
    intent: { kind: 'batch', withdrawal: 'batch_btc', outputs: BTC_OUTPUTS, ...change.intent },
    psbt: {
      coins,
      outputs: [...listed, { script: ownScript(CHANGE_PATH), amount: rest, path: CHANGE_PATH }],
    },
  })
  return { ...request, id: `srq_btc_${items.join('_')}`, items: [...items] }
}

/** Makes a state that signed these requests. */
export function afterParts(requests: readonly SigningRequest[], options: StateOptions = {}) {
  return () => {
    const state = batchState(options)
    for (const request of requests) {
      const decision = decide(request, state)
      if (decision.outcome !== 'signed') throw new Error(`${decision.code}: ${decision.message}`)
    }
    return state
  }
}

function of(
  name: string,
  check: string,
  code: HostileCase['code'],
  request: () => unknown,
  state: () => SignerState = () => batchState(),
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

const limits = (perTransaction: string | null, daily: string | null): StateOptions => ({
  policy: (file) => {
    const eth = file.networks.ethereum?.assets.eth
    if (eth) Object.assign(eth, { per_transaction: perTransaction, daily })
  },
})
const feeLimit = (amount: bigint) => ({ fee_limit: { coin: 'eth', amount: `${amount}` } })
const swap = ([first, second, ...others]: PsbtOutput[]) =>
  [second, first, ...others].filter((each) => each !== undefined)

/** Fills a gap in the name of two items, which one record could then pay one after the other. */
const gapOfTwo = (): SigningRequest => ({
  ...ethPart(1),
  purpose: 'cancel',
  approvals: [],
  items: [1, 2],
  payload: { ...ethCancel({ payload: { nonce: 4 } }).payload },
})

/** All requests that a single check refuses. */
export const HOSTILE_BATCHES: readonly HostileCase[] = [
  of(
    'a cancellation in the name of several items, so that a later one is not counted',
    'single-recipient',
    'OUTPUT_NOT_ALLOWED',
    gapOfTwo,
    afterParts([ethPart(0)]),
  ),
  of(
    'a batch where the policy does not list it',
    'kind-allowed',
    'KIND_NOT_ALLOWED',
    () => ethPart(0),
    makeState,
  ),
  of('a payload of a batch that names no items', 'items-match-kind', 'OUTPUT_NOT_ALLOWED', () => ({
    ...ethPart(0, { intent: { outputs: ETH_OUTPUTS.slice(0, 1) } }),
    items: null,
  })),
  of('items of something that is no batch', 'items-match-kind', 'OUTPUT_NOT_ALLOWED', () => ({
    ...ethRequest(),
    items: [0],
  })),
  of('an item beyond the approved outputs', 'items-known', 'OUTPUT_NOT_ALLOWED', () =>
    ethPart(0, { items: [0, 3] }),
  ),
  of('an item twice', 'items-known', 'OUTPUT_NOT_ALLOWED', () =>
    btcPart([0, 0], { coins: PART_COINS.slice(0, 2) }),
  ),
  of('items out of their order', 'items-known', 'OUTPUT_NOT_ALLOWED', () => btcPart([1, 0])),
  of('recipients who pay the fees of a batch', 'batch-fee-paid-by-sender', 'AMOUNT_MISMATCH', () => {
    const value = `${ETHER - ETH_FEE}`
    return ethPart(0, { intent: { fee_payer: 'recipient' }, payload: { value } })
  }),
  of('two items in one EVM transaction', 'single-recipient', 'OUTPUT_NOT_ALLOWED', () =>
    ethPart(0, { items: [0, 1] }),
  ),
  of('the recipient of another item', 'called-address-matches', 'RECIPIENT_MISMATCH', () =>
    ethPart(0, { payload: { to: STRANGER } }),
  ),
  of('the amount of another item', 'native-amount-matches', 'AMOUNT_MISMATCH', () =>
    ethPart(0, { payload: { value: `${2n * ETHER}` } }),
  ),
  of('a swapped index', 'called-address-matches', 'RECIPIENT_MISMATCH', () => ethPart(2, { items: [0] })),
  of('the token recipient of another item', 'token-recipient-matches', 'RECIPIENT_MISMATCH', () =>
    usdtPart(0, { payload: { data: call('transfer', STRANGER, 25_000_000n) } }),
  ),
  of('the token amount of another item', 'token-amount-matches', 'AMOUNT_MISMATCH', () =>
    usdtPart(0, { payload: { data: call('transfer', RECIPIENT, 5_000_000n) } }),
  ),
  of('an item that is left out', 'recipients-paid', 'RECIPIENT_MISMATCH', () =>
    btcPart([0, 1], { outputs: (paid) => paid.slice(0, 1) }),
  ),
  of('an item that gets less', 'recipients-paid', 'AMOUNT_MISMATCH', () =>
    btcPart([0, 1], {
      outputs: (paid) => paid.map((each) => ({ ...each, amount: each.amount - 1n })),
    }),
  ),
  of('an item of another part besides', 'at-most-one-change', 'OUTPUT_NOT_ALLOWED', () =>
    btcPart([0], { outputs: (paid) => [...paid, { address: BTC_STRANGER, amount: 20_000_000n }] }),
  ),
  of('an output for a stranger besides', 'at-most-one-change', 'OUTPUT_NOT_ALLOWED', () =>
    btcPart([0, 1], {
      outputs: (paid) => [...paid, { script: Buffer.from(`0014${'33'.repeat(20)}`, 'hex'), amount: 1_000n }],
    }),
  ),
  of('outputs in another order than the items', 'recipients-in-order', 'OUTPUT_NOT_ALLOWED', () =>
    btcPart([0, 1], { outputs: swap }),
  ),
  of(
    'another batch under a signed id, by a part that was not signed yet',
    'intent-unchanged',
    'CONFLICT_SET',
    () => ethPart(1, { intent: { external_id: 'again' } }),
    afterParts([ethPart(0)]),
  ),
  of(
    'an item that was paid, with another nonce',
    'same-conflict-set',
    'CONFLICT_SET',
    () => ethPart(0, { payload: { nonce: 20 } }),
    afterParts([ethPart(0)]),
  ),
  of(
    'items that were paid, from other coins',
    'same-conflict-set',
    'CONFLICT_SET',
    () => btcPart([0, 1], { coins: PART_COINS.slice(1, 2) }),
    afterParts([btcPart([0, 1])]),
  ),
  of(
    'an item of a signed part, alone from other coins',
    'same-conflict-set',
    'CONFLICT_SET',
    () => btcPart([1], { coins: PART_COINS.slice(1, 2) }),
    afterParts([btcPart([0, 1])]),
  ),
  of(
    'an item of another signed part, with those of this one',
    'items-in-one-part',
    'CONFLICT_SET',
    () => btcPart([0, 1], { coins: PART_COINS.slice(0, 2), fee: 5_000n }),
    afterParts([btcPart([0]), btcPart([1], { coins: PART_COINS.slice(1, 2) })]),
    // Its coins belong to the other part too.
    'outpoints-free',
  ),
  of(
    'a new item in a further attempt of a signed part',
    'items-in-one-part',
    'CONFLICT_SET',
    () => btcPart([0, 1], { fee: 5_000n }),
    afterParts([btcPart([0])]),
  ),
  of(
    'the nonce of another part of the same batch',
    'nonce-free',
    'NONCE_CONFLICT',
    () => ethPart(1, { payload: { nonce: 10 } }),
    afterParts([ethPart(0)]),
  ),
  of(
    'a coin of another part of the same batch',
    'outpoints-free',
    'CONFLICT_SET',
    () => btcPart([2], { coins: PART_COINS.slice(0, 1) }),
    afterParts([btcPart([0, 1])]),
  ),
  of(
    'fees of all parts above what was approved',
    'batch-fee-within-intent',
    'FEE_TOO_HIGH',
    () => ethPart(2, { intent: feeLimit(3n * ETH_FEE - 1n) }),
    afterParts([0, 1].map((item) => ethPart(item, { intent: feeLimit(3n * ETH_FEE - 1n) }))),
  ),
  of(
    'an attempt of one part whose higher fee, with the fees of the others, is above what was approved',
    'batch-fee-within-intent',
    'FEE_TOO_HIGH',
    () => ethPart(0, { intent: feeLimit(2n * ETH_FEE), payload: { max_fee_per_gas: '30000000001' } }),
    afterParts([0, 1].map((item) => ethPart(item, { intent: feeLimit(2n * ETH_FEE) }))),
  ),
  of(
    'an item above the limit of one payout',
    'within-transaction-limit',
    'POLICY_LIMIT',
    () => ethPart(2),
    () => batchState(limits('1.9', null)),
  ),
  of(
    'a part above what the others left of the day',
    'within-daily-limit',
    'POLICY_LIMIT',
    () => ethPart(2),
    afterParts([ethPart(0), ethPart(1)], limits(null, '3.9')),
  ),
]

/** Makes the part of a USDT batch that pays one item. */
function usdtPart(item: number, change: Parameters<typeof usdtRequest>[0] = {}): SigningRequest {
  const outputs = [
    { address: RECIPIENT, amount: '25000000' },
    { address: STRANGER, amount: '5000000' },
  ]
  const request = usdtRequest({ ...change, intent: { kind: 'batch', withdrawal: 'batch_usdt', outputs } })
  return { ...request, items: [item] }
}
