/** Makes honest movements between the wallets of one seed, which hostile tests change in one place. */

import { address as addresses } from 'bitcoinjs-lib'
import type { Intent } from '../../domain/controls/intent.js'
import type { EvmPayload, SigningRequest } from '../../domain/signing/signer-protocol.js'
import { evmAddress } from '../../signer/evm/evm-address.js'
import { parsePath } from '../../signer/keys/path.js'
import type { PolicyFile } from '../../signer/policy/policy.js'
import type { SignerState } from '../../signer/state.js'
import {
  type Approver,
  approved,
  btcIntent,
  type Coin,
  call,
  ethIntent,
  ethPayload,
  keyring,
  makePsbt,
  makeState,
  ownScript,
  type PsbtOptions,
  regtest,
  type StateOptions,
  USDT,
  usdtIntent,
} from './fixture.js'

export const DEPOSIT_PATH = "m/44'/60'/0'/0/7"
export const MASTER_PATH = "m/44'/60'/1'/0/0"
export const HOT_PATH = "m/44'/60'/2'/0/1"
export const GAS_PATH = "m/44'/60'/3'/0/0"
export const BTC_MASTER_PATH = "m/84'/1'/1'/0/0"

/** Returns the own EVM address at a path. */
export const at = (path: string): string => evmAddress(keyring.at(parsePath(path) ?? []).publicKey)
/** Returns the own regtest address at a path. */
export const btcAt = (path: string): string => addresses.fromOutputScript(ownScript(path), regtest)

/**
 * Allows every kind, with budgets of 0.01 ETH of fees, 0.002 ETH of gas at a time and 0.005 a day, and 10,000
 * sat of fees.
 */
export function movementPolicy(file: PolicyFile): void {
  file.allowed_kinds.push('consolidation', 'gas_funding', 'rebalance')
  Object.assign(file.networks.ethereum ?? {}, {
    movements: { daily_fee: '0.01', gas_funding: { per_transaction: '0.002', daily: '0.005' }, treasury: [] },
  })
  Object.assign(file.networks.bitcoin ?? {}, {
    movements: { daily_fee: '0.0001', gas_funding: { per_transaction: '0', daily: '0' }, treasury: [] },
  })
}

export function movementState(options: StateOptions = {}): SignerState {
  return makeState({
    ...options,
    policy: (file) => {
      movementPolicy(file)
      options.policy?.(file)
    },
  })
}

export interface MovementChange {
  readonly intent?: Partial<Intent>
  readonly payload?: Partial<EvmPayload>
  readonly destination_path?: string
  readonly by?: readonly Approver[]
}

const base = { attempt: 1, purpose: 'pay', items: null, lease_until: '2026-06-01T12:01:00.000Z' } as const
const byItself = { initiator: 'system:treasury' }

function movement(
  id: string,
  intent: Intent,
  payload: EvmPayload,
  destination: string,
  change: MovementChange,
): SigningRequest {
  const { destination_path = destination, by = [] } = change
  return approved(
    { ...base, id: `srq_${id}`, intent: { ...intent, ...change.intent }, payload, destination_path },
    by,
  )
}

const WEI = 10n ** 18n
/** Fee of 26,250 gas at 30 gwei. */
export const SWEEP_FEE = 26_250n * 30_000_000_000n

/** Makes a consolidation of a deposit address's balance, less the highest fee, to the master wallet. */
export function sweep(change: MovementChange = {}): SigningRequest {
  return movement(
    'sweep',
    {
      ...ethIntent(byItself),
      kind: 'consolidation',
      withdrawal: 'mov_sweep',
      outputs: [{ address: at(MASTER_PATH), amount: WEI.toString() }],
      fee_payer: 'recipient',
    },
    ethPayload({
      from: at(DEPOSIT_PATH),
      derivation_path: DEPOSIT_PATH,
      to: at(MASTER_PATH),
      value: (WEI - SWEEP_FEE).toString(),
      gas: '26250',
      nonce: 0,
      ...change.payload,
    }),
    MASTER_PATH,
    change,
  )
}

/** Makes a consolidation of all tokens of a deposit address to the master wallet. */
export function tokenSweep(change: MovementChange = {}): SigningRequest {
  const to = at(MASTER_PATH)
  return movement(
    'token_sweep',
    {
      ...usdtIntent(byItself),
      kind: 'consolidation',
      withdrawal: 'mov_token',
      outputs: [{ address: to, amount: '25000000' }],
    },
    ethPayload({
      from: at(DEPOSIT_PATH),
      derivation_path: DEPOSIT_PATH,
      to: USDT,
      value: '0',
      data: call('transfer', to, 25_000_000n),
      gas: '65000',
      nonce: 1,
      ...change.payload,
    }),
    MASTER_PATH,
    change,
  )
}

/** Makes a funding of 0.002 ETH of gas for a deposit address. */
export function gasFunding(change: MovementChange = {}): SigningRequest {
  const amount = (WEI / 500n).toString()
  return movement(
    'gas',
    {
      ...ethIntent(byItself),
      kind: 'gas_funding',
      withdrawal: 'mov_gas',
      outputs: [{ address: at(DEPOSIT_PATH), amount }],
    },
    ethPayload({
      from: at(GAS_PATH),
      derivation_path: GAS_PATH,
      to: at(DEPOSIT_PATH),
      value: amount,
      nonce: 3,
      ...change.payload,
    }),
    DEPOSIT_PATH,
    change,
  )
}

/**
 * Makes a rebalance of one ETH between a hot wallet and the master wallet. `up`, to the master wallet, needs
 * no approval.
 */
export function rebalance(direction: 'up' | 'down', change: MovementChange = {}): SigningRequest {
  const [from, to] = direction === 'up' ? [HOT_PATH, MASTER_PATH] : [MASTER_PATH, HOT_PATH]
  return movement(
    'rebalance',
    {
      ...ethIntent(byItself),
      kind: 'rebalance',
      withdrawal: 'mov_rebalance',
      outputs: [{ address: at(to), amount: WEI.toString() }],
    },
    ethPayload({
      from: at(from),
      derivation_path: from,
      to: at(to),
      value: WEI.toString(),
      nonce: 4,
      ...change.payload,
    }),
    to,
    change,
  )
}

/** Small outputs of deposit addresses and of the master wallet. */
export const SMALL_COINS: readonly Coin[] = [
  { path: "m/84'/1'/0'/0/7", amount: 100_000n },
  { path: "m/84'/1'/0'/0/8", amount: 200_000n },
  { path: "m/84'/1'/1'/1/0", amount: 300_000n },
]
export const CONSOLIDATION_FEE = 2_000n

/** Makes a consolidation of several small outputs to one at the master wallet. */
export function consolidate(
  change: Omit<MovementChange, 'payload'> & { readonly psbt?: PsbtOptions } = {},
): SigningRequest {
  const to = btcAt(BTC_MASTER_PATH)
  const psbt = makePsbt({
    coins: SMALL_COINS,
    outputs: [{ address: to, amount: 600_000n - CONSOLIDATION_FEE }],
    ...change.psbt,
  })
  return approved(
    {
      ...base,
      id: 'srq_gather',
      intent: {
        ...btcIntent(byItself),
        kind: 'consolidation',
        withdrawal: 'mov_gather',
        outputs: [{ address: to, amount: '600000' }],
        fee_payer: 'recipient',
        ...change.intent,
      },
      payload: { family: 'utxo', network: 'bitcoin', psbt },
      destination_path: change.destination_path ?? BTC_MASTER_PATH,
    },
    change.by ?? [],
  )
}
