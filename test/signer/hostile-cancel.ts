/** Makes requests of a hostile platform in the name of a cancellation, which no person approves. */

import type { SigningRequest } from '../../domain/signing/signer-protocol.js'
import { decide } from '../../signer/decide.js'
import type { SignerState } from '../../signer/state.js'
import {
  BTC_RECIPIENT,
  BTC_STRANGER,
  btcRequest,
  CHANGE_PATH,
  COINS,
  ethRequest,
  makeState,
  ownScript,
  PAYING_ADDRESS,
  type PsbtOptions,
  STRANGER,
  type StateOptions,
} from './fixture.js'
import type { HostileCase } from './hostile.js'

/** Returns the fee of 30,000 gas at `gwei`. */
export function ethCancel(change: Parameters<typeof ethRequest>[0] = {}, gwei = 60n): SigningRequest {
  const request = ethRequest({
    intent: change.intent ?? {},
    payload: {
      to: PAYING_ADDRESS,
      value: '0',
      gas: '30000',
      max_fee_per_gas: (gwei * 10n ** 9n).toString(),
      ...change.payload,
    },
  })
  return { ...request, id: 'srq_eth_cancel', attempt: 2, purpose: 'cancel', approvals: [] }
}

export const CANCEL_FEE = 9_000n
const everything = COINS.reduce((sum, coin) => sum + coin.amount, 0n)

export function btcCancel(psbt: PsbtOptions = {}): SigningRequest {
  const outputs = [{ script: ownScript(CHANGE_PATH), amount: everything - CANCEL_FEE, path: CHANGE_PATH }]
  const request = btcRequest({ psbt: { outputs, ...psbt } })
  return { ...request, id: 'srq_btc_cancel', attempt: 2, purpose: 'cancel', approvals: [] }
}

/** Makes a state that signed the payout to cancel. */
export function after(requests: readonly SigningRequest[], options: StateOptions = {}): SignerState {
  const state = makeState(options)
  for (const request of requests) {
    const decision = decide(request, state)
    if (decision.outcome !== 'signed') throw new Error(`${decision.code}: ${decision.message}`)
  }
  return state
}

function of(
  name: string,
  check: string,
  code: HostileCase['code'],
  request: () => SigningRequest,
  state: () => SignerState = () => after([ethRequest(), btcRequest()]),
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

/** Another payout of the same account, so that nonces below it are gaps. */
const later = (nonce = 9) => ethRequest({ intent: { withdrawal: 'withdrawal_later' }, payload: { nonce } })
const gap = (intent = 'withdrawal_gap', nonce = 7, gwei = 60n) =>
  ethCancel({ intent: { withdrawal: intent }, payload: { nonce } }, gwei)

/** A cancellation that costs 30,000 wei. */
const filling = (nonce: number) =>
  ethCancel({
    intent: { withdrawal: `withdrawal_free_${nonce}` },
    payload: { nonce, max_fee_per_gas: '1', max_priority_fee_per_gas: '0' },
  })

/** A payout so small that its whole amount may be burned as a fee. */
const smallCoins = [{ path: "m/84'/1'/0'/0/7", amount: 100_000n }]
const tiny = () =>
  btcRequest({
    intent: { outputs: [{ address: BTC_RECIPIENT, amount: '60000' }] },
    psbt: {
      coins: smallCoins,
      outputs: [
        { address: BTC_RECIPIENT, amount: 60_000n },
        { script: ownScript(CHANGE_PATH), amount: 37_000n, path: CHANGE_PATH },
      ],
    },
  })

/** Removes the zero with which the library ends the list of output maps when there is none. */
function withoutOutputMaps(payload: SigningRequest['payload']): SigningRequest['payload'] {
  if (payload.family !== 'utxo') throw new Error('Only a PSBT has maps')
  const bytes = Buffer.from(payload.psbt, 'base64')
  return { ...payload, psbt: bytes.subarray(0, -1).toString('base64') }
}

export const HOSTILE_CANCELS: readonly HostileCase[] = [
  of(
    'a cancellation where the policy has no limits for it',
    'cancel-allowed',
    'KIND_NOT_ALLOWED',
    () => ethCancel(),
    () =>
      after([ethRequest()], {
        policy: (file) => {
          delete file.networks.ethereum?.cancel
        },
      }),
  ),
  of('a cancellation that pays another address', 'cancel-to-itself', 'RECIPIENT_MISMATCH', () =>
    ethCancel({ payload: { to: STRANGER } }),
  ),
  of('a cancellation that sends coins', 'cancel-value-zero', 'AMOUNT_MISMATCH', () =>
    ethCancel({ payload: { value: '1' } }),
  ),
  of('a cancellation that calls something', 'cancel-calldata-empty', 'CALLDATA_NOT_ALLOWED', () =>
    ethCancel({ payload: { data: '0xa9059cbb' } }),
  ),
  of('a cancellation above the emergency cap', 'cancel-fee-within-policy', 'FEE_TOO_HIGH', () =>
    ethCancel({}, 3_400n),
  ),
  of('a cancellation whose fee is a tip', 'tip-within-policy', 'FEE_TOO_HIGH', () =>
    ethCancel({ payload: { max_priority_fee_per_gas: '3000000000000' } }, 3_000n),
  ),
  of('a UTXO cancellation above the emergency cap', 'cancel-fee-within-policy', 'FEE_TOO_HIGH', () =>
    btcCancel({
      outputs: [{ script: ownScript(CHANGE_PATH), amount: everything - 2_000_001n, path: CHANGE_PATH }],
    }),
  ),
  of(
    'a cancellation without outputs',
    'outputs-present',
    'OUTPUT_NOT_ALLOWED',
    () => {
      const request = btcRequest({ psbt: { coins: smallCoins, outputs: [] } })
      return {
        ...request,
        ...tiny(),
        id: 'srq_btc_cancel',
        attempt: 2,
        purpose: 'cancel',
        approvals: [],
        payload: withoutOutputMaps(request.payload),
      }
    },
    () => after([tiny()]),
  ),
  of(
    'cancellations that burn more fees a day than the policy allows',
    'cancel-within-daily-fees',
    'POLICY_LIMIT',
    () => gap('withdrawal_second', 7, 3_000n),
    () => after([later(), gap('withdrawal_first', 6, 3_000n)]),
  ),
  of(
    'cancellations with higher and higher fees',
    'cancel-within-daily-fees',
    'POLICY_LIMIT',
    () => gap('withdrawal_first', 6, 3_300n),
    () => after([later(), gap('withdrawal_second', 7, 3_000n), gap('withdrawal_first', 6, 1_900n)]),
  ),
  of(
    'fillings of free nonces that cost next to nothing, without end',
    'cancel-within-daily-count',
    'POLICY_LIMIT',
    () => filling(100),
    () =>
      after([later(101), ...Array.from({ length: 100 }, (_, nonce) => filling(nonce))], {
        policy: ({ networks: { ethereum } }) => {
          if (ethereum?.family === 'evm') ethereum.max_nonces_ahead = 200
        },
      }),
  ),
  of(
    'a cancellation of nothing',
    'cancel-of-signed',
    'CONFLICT_SET',
    () => ethCancel(),
    () => makeState(),
  ),
  of(
    'a cancellation of coins that nothing was signed with',
    'cancel-of-signed',
    'CONFLICT_SET',
    () => btcCancel(),
    () => makeState(),
  ),
  of(
    'a cancellation of a nonce that is no gap yet',
    'cancel-of-signed',
    'CONFLICT_SET',
    () => gap('withdrawal_gap', 10),
    () => after([later(9)]),
  ),
  of('a cancellation with another nonce', 'same-conflict-set', 'CONFLICT_SET', () =>
    ethCancel({ payload: { nonce: 4 } }),
  ),
  of('a cancellation without an input of the payout', 'same-conflict-set', 'CONFLICT_SET', () => {
    const [first] = COINS
    if (!first) throw new Error('a coin')
    return btcCancel({
      coins: [first],
      outputs: [{ script: ownScript(CHANGE_PATH), amount: first.amount - CANCEL_FEE, path: CHANGE_PATH }],
    })
  }),
  of(
    'a cancellation in the name of another payout',
    'nonce-free',
    'NONCE_CONFLICT',
    () => ethCancel({ intent: { withdrawal: 'withdrawal_forged' } }),
    () => after([ethRequest(), later()]),
  ),
  of(
    'a UTXO cancellation that pays another address besides',
    'at-most-one-change',
    'OUTPUT_NOT_ALLOWED',
    () =>
      btcCancel({
        outputs: [
          { script: ownScript(CHANGE_PATH), amount: 50_000_000n, path: CHANGE_PATH },
          {
            script: ownScript(CHANGE_PATH),
            amount: everything - 50_000_000n - CANCEL_FEE,
            path: CHANGE_PATH,
          },
        ],
      }),
  ),
  of('a UTXO cancellation that pays another key instead', 'change-mine', 'CHANGE_NOT_MINE', () =>
    btcCancel({ outputs: [{ address: BTC_STRANGER, amount: everything - CANCEL_FEE, path: CHANGE_PATH }] }),
  ),
  of(
    'a payout over the daily limit behind a cancellation that opened its record',
    'within-daily-limit',
    'POLICY_LIMIT',
    () => ethRequest({ intent: { withdrawal: 'withdrawal_gap' }, payload: { nonce: 7 } }),
    () =>
      after([later(), gap()], {
        policy: (file) => {
          const eth = file.networks.ethereum?.assets.eth
          if (eth) eth.daily = '2'
        },
      }),
  ),
]
