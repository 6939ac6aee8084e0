/** Makes a seed, a policy, people and honest requests, which hostile tests change in one place. */

import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { mnemonicToSeedSync } from '@scure/bip39'
import * as bitcoin from 'bitcoinjs-lib'
import { encodeFunctionData, parseAbi } from 'viem'
import { approvalMessage, type Decision } from '../../domain/controls/approval.js'
import { type Intent, intentHash } from '../../domain/controls/intent.js'
import type { EvmPayload, SigningRequest } from '../../domain/signing/signer-protocol.js'
import { createApprovalVerifier } from '../../signer/approval-verifier.js'
import { evmAddress } from '../../signer/evm/evm-address.js'
import { Journal } from '../../signer/journal/journal.js'
import { type JournalStore, openMemoryStore } from '../../signer/journal/journal-store.js'
import { openMemoryWitness, type Witness } from '../../signer/journal/witness.js'
import { type Keyring, openKeyring } from '../../signer/keys/keyring.js'
import { parsePath } from '../../signer/keys/path.js'
import { compilePolicy, type PolicyFile } from '../../signer/policy/policy.js'
import type { SignerState } from '../../signer/state.js'

export const NOW = Date.parse('2026-06-01T12:00:00.000Z')
export const MNEMONIC =
  'abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about'
export const OTHER_MNEMONIC = 'legal winner thank year wave sausage worth useful legal winner thank yellow'
export const USDT = '0xdAC17F958D2ee523a2206206994597C13D831ec7'
export const RECIPIENT = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8'
export const STRANGER = '0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC'
export const BITCOIN = 'bip122:0f9188f13cb7b2c71f2a335e3a4fc328'
export const ETHEREUM = 'eip155:31337'
export const regtest = bitcoin.networks.regtest

export const keyring: Keyring = openKeyring(mnemonicToSeedSync(MNEMONIC))
export const otherKeyring: Keyring = openKeyring(mnemonicToSeedSync(OTHER_MNEMONIC))

/** Key of a person as the customer pins it. */
export interface Approver {
  readonly approverId: string
  readonly personId: string
  readonly privateKey: KeyObject
  readonly publicKey: string
}

export function makeApprover(approverId: string, personId: string): Approver {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const { x } = publicKey.export({ format: 'jwk' })
  return {
    approverId,
    personId,
    privateKey,
    publicKey: Buffer.from(x ?? '', 'base64url').toString('base64'),
  }
}

export const alice = makeApprover('apr_alice', 'per_alice')
export const aliceSecond = makeApprover('apr_alice2', 'per_alice')
export const bob = makeApprover('apr_bob', 'per_bob')
export const carol = makeApprover('apr_carol', 'per_carol')
export const mallory = makeApprover('apr_mallory', 'per_mallory')

export const iso = (offsetMs = 0): string => new Date(NOW + offsetMs).toISOString()
export const MINUTE = 60_000
export const HOUR = 3_600_000
/** Id of the signer under test. */
export const SIGNER = 'sig_1'

export function policyFile(change: (file: PolicyFile) => void = () => {}): PolicyFile {
  const file: PolicyFile = {
    version: 1,
    merchant_id: 'mer_1',
    platform_public_key: Buffer.alloc(32, 9).toString('base64'),
    quorum: 2,
    approvers: [alice, aliceSecond, bob, carol].map((each) => ({
      approver_id: each.approverId,
      person_id: each.personId,
      name: each.personId,
      public_key: each.publicKey,
    })),
    allowed_kinds: ['withdrawal'],
    approval_max_age_seconds: 6 * 3_600,
    clock_skew_seconds: 60,
    networks: {
      ethereum: {
        family: 'evm',
        caip2: ETHEREUM,
        chain_id: 31337,
        derivation: { purpose: 44, coin_type: 60 },
        paying_roles: ['master', 'hot'],
        max_address_index: 1_000,
        max_fee: '0.05',
        cancel: { max_fee: '0.1', daily_fees: '0.15' },
        max_fee_per_gas_gwei: '500',
        assets: {
          eth: { contract: null, decimals: 18, per_transaction: '100', daily: '250' },
          usdt: { contract: USDT, decimals: 6, per_transaction: null, daily: null },
        },
      },
      bitcoin: {
        family: 'utxo',
        caip2: BITCOIN,
        derivation: { purpose: 84, coin_type: 1 },
        address: { bech32: 'bcrt', pub_key_hash: 0x6f, script_hash: 0xc4 },
        paying_roles: ['deposit', 'master', 'hot'],
        max_address_index: 1_000,
        max_fee: '0.01',
        cancel: { max_fee: '0.02', daily_fees: '0.03' },
        max_fee_rate: 500,
        assets: { btc: { contract: null, decimals: 8, per_transaction: '10', daily: '12' } },
      },
    },
  }
  change(file)
  return file
}

export interface StateOptions {
  readonly signerId?: string
  readonly policy?: (file: PolicyFile) => void
  readonly store?: JournalStore
  readonly witness?: Witness
  readonly now?: () => number
  readonly paused?: boolean
  readonly locked?: boolean
}

export function makeState(options: StateOptions = {}): SignerState {
  const now = options.now ?? (() => NOW)
  return {
    signerId: options.signerId ?? SIGNER,
    policy: compilePolicy(policyFile(options.policy)),
    keyring,
    approvals: createApprovalVerifier(),
    journal: new Journal(options.store ?? openMemoryStore(), now),
    witness: options.witness ?? openMemoryWitness(),
    now,
    paused: () => options.paused ?? false,
    locked: () => options.locked ?? false,
  }
}

export function approve(
  hash: string,
  approver: Approver,
  options: { decision?: Decision; signedAt?: string; personId?: string; signedHash?: string } = {},
) {
  const decided = {
    approver_id: approver.approverId,
    decision: options.decision ?? ('approve' as const),
    intent_hash: hash,
    signed_at: options.signedAt ?? iso(-5 * MINUTE),
  }
  const message = approvalMessage({ ...decided, intent_hash: options.signedHash ?? hash })
  return {
    ...decided,
    person_id: options.personId ?? approver.personId,
    signature: sign(null, Buffer.from(message), approver.privateKey).toString('base64'),
  }
}

/** Gives a request the hash and approvals that its intent needs, for changes that people approved. */
export function approved(
  request: Omit<SigningRequest, 'approvals' | 'intent_hash'>,
  by: readonly Approver[] = [alice, bob],
): SigningRequest {
  const hash = intentHash(request.intent)
  return { ...request, intent_hash: hash, approvals: by.map((each) => approve(hash, each)) }
}

const intentBase = {
  version: 1,
  kind: 'withdrawal',
  merchant: 'mer_1',
  signer: SIGNER,
  external_id: null,
  fee_payer: 'sender',
  initiator: 'per_dave',
  created_at: iso(-10 * MINUTE),
  expires_at: iso(24 * HOUR),
} as const

export function ethIntent(change: Partial<Intent> = {}): Intent {
  return {
    ...intentBase,
    withdrawal: 'withdrawal_eth',
    network: ETHEREUM,
    asset: { coin: 'eth', contract: null, decimals: 18 },
    outputs: [{ address: RECIPIENT, amount: '1500000000000000000' }],
    fee_limit: { coin: 'eth', amount: '10000000000000000' },
    ...change,
  }
}

export function usdtIntent(change: Partial<Intent> = {}): Intent {
  return {
    ...ethIntent(),
    withdrawal: 'withdrawal_usdt',
    asset: { coin: 'usdt', contract: USDT, decimals: 6 },
    outputs: [{ address: RECIPIENT, amount: '25000000' }],
    ...change,
  }
}

export const PAYING_PATH = "m/44'/60'/1'/0/0"
export const PAYING_ADDRESS = evmAddress(keyring.at(parsePath(PAYING_PATH) ?? []).publicKey)

export function ethPayload(change: Partial<EvmPayload> & Record<string, unknown> = {}): EvmPayload {
  return {
    family: 'evm',
    network: 'ethereum',
    chain_id: 31337,
    from: PAYING_ADDRESS,
    derivation_path: PAYING_PATH,
    to: RECIPIENT,
    value: '1500000000000000000',
    data: '0x',
    nonce: 5,
    gas: '21000',
    max_fee_per_gas: '30000000000',
    max_priority_fee_per_gas: '1000000000',
    ...change,
  }
}

const erc20 = parseAbi([
  'function transfer(address to, uint256 amount) returns (bool)',
  'function approve(address spender, uint256 amount) returns (bool)',
])

export function call(functionName: 'transfer' | 'approve', to: string, amount: bigint): string {
  return encodeFunctionData({ abi: erc20, functionName, args: [to as `0x${string}`, amount] })
}

export function usdtPayload(change: Partial<EvmPayload> = {}): EvmPayload {
  return ethPayload({
    to: USDT,
    value: '0',
    data: call('transfer', RECIPIENT, 25_000_000n),
    gas: '65000',
    nonce: 6,
    ...change,
  })
}

const requestBase = { attempt: 1, purpose: 'pay' as const, items: null, lease_until: iso(MINUTE) }

export function ethRequest(
  change: { intent?: Partial<Intent>; payload?: Partial<EvmPayload> & Record<string, unknown> } = {},
): SigningRequest {
  return approved({
    ...requestBase,
    id: 'srq_eth',
    intent: ethIntent(change.intent),
    payload: ethPayload(change.payload),
  })
}

export function usdtRequest(
  change: { intent?: Partial<Intent>; payload?: Partial<EvmPayload> } = {},
): SigningRequest {
  return approved({
    ...requestBase,
    id: 'srq_usdt',
    intent: usdtIntent(change.intent),
    payload: usdtPayload(change.payload),
  })
}

export interface Coin {
  readonly path: string
  readonly amount: bigint
  /** Number that distinguishes parents that are otherwise the same. */
  readonly salt?: number
  readonly keys?: Keyring
}

export const BTC_RECIPIENT =
  bitcoin.payments.p2wpkh({ hash: Buffer.alloc(20, 0x11), network: regtest }).address ?? ''
export const BTC_STRANGER =
  bitcoin.payments.p2wpkh({ hash: Buffer.alloc(20, 0x22), network: regtest }).address ?? ''
export const CHANGE_PATH = "m/84'/1'/1'/1/3"
export const COINS: readonly Coin[] = [
  { path: "m/84'/1'/0'/0/7", amount: 60_000_000n },
  { path: "m/84'/1'/1'/0/0", amount: 50_000_000n },
]

export function ownScript(path: string, keys: Keyring = keyring): Uint8Array {
  return bitcoin.payments.p2wpkh({ hash: keys.at(parsePath(path) ?? []).keyHash }).output ?? new Uint8Array()
}

/** Makes the transaction that paid a coin. */
export function parentOf(coin: Coin): bitcoin.Transaction {
  const parent = new bitcoin.Transaction()
  parent.version = 2
  parent.addInput(Buffer.alloc(32, (coin.salt ?? 0) + 1), 0)
  parent.addOutput(Buffer.from([0x6a]), 0n)
  parent.addOutput(ownScript(coin.path, coin.keys), coin.amount)
  return parent
}

export interface PsbtOutput {
  readonly address?: string
  readonly script?: Uint8Array
  readonly amount: bigint
  /** Adds the origin of the key at this path. */
  readonly path?: string
}

export interface PsbtOptions {
  readonly coins?: readonly Coin[]
  readonly outputs?: readonly PsbtOutput[]
  /** Changes the PSBT before it is serialised. */
  readonly change?: (psbt: bitcoin.Psbt) => void
  readonly version?: number
  readonly locktime?: number
  readonly sequence?: number
  readonly sighash?: number
  /** Index of an input that does not bring the transaction that it spends from. */
  readonly withoutParent?: number
}

export const FEE = 3_000n

export const honestOutputs: readonly PsbtOutput[] = [
  { address: BTC_RECIPIENT, amount: 80_000_000n },
  { script: ownScript(CHANGE_PATH), amount: 30_000_000n - FEE, path: CHANGE_PATH },
]

function origin(path: string, keys: Keyring = keyring) {
  return {
    masterFingerprint: Buffer.from(keys.fingerprint, 'hex'),
    path,
    pubkey: keys.at(parsePath(path) ?? []).publicKey,
  }
}

export function makePsbt(options: PsbtOptions = {}): string {
  const psbt = new bitcoin.Psbt({ network: regtest })
  psbt.setVersion(options.version ?? 2)
  psbt.setLocktime(options.locktime ?? 0)
  for (const [at, coin] of (options.coins ?? COINS).entries()) {
    const parent = parentOf(coin)
    psbt.addInput({
      hash: parent.getId(),
      index: 1,
      sequence: options.sequence ?? 0xffff_fffd,
      ...(at === options.withoutParent ? {} : { nonWitnessUtxo: parent.toBuffer() }),
      witnessUtxo: { script: ownScript(coin.path, coin.keys), value: coin.amount },
      bip32Derivation: [origin(coin.path, coin.keys)],
      ...(options.sighash === undefined ? {} : { sighashType: options.sighash }),
    })
  }
  for (const output of options.outputs ?? honestOutputs) {
    const target = output.address
      ? { address: output.address }
      : { script: output.script ?? new Uint8Array() }
    psbt.addOutput({
      ...target,
      value: output.amount,
      ...(output.path ? { bip32Derivation: [origin(output.path)] } : {}),
    })
  }
  options.change?.(psbt)
  return psbt.toBase64()
}

export function btcIntent(change: Partial<Intent> = {}): Intent {
  return {
    ...intentBase,
    withdrawal: 'withdrawal_btc',
    network: BITCOIN,
    asset: { coin: 'btc', contract: null, decimals: 8 },
    outputs: [{ address: BTC_RECIPIENT, amount: '80000000' }],
    fee_limit: { coin: 'btc', amount: '100000' },
    ...change,
  }
}

export function btcRequest(change: { intent?: Partial<Intent>; psbt?: PsbtOptions } = {}): SigningRequest {
  return approved({
    ...requestBase,
    id: 'srq_btc',
    intent: btcIntent(change.intent),
    payload: { family: 'utxo', network: 'bitcoin', psbt: makePsbt(change.psbt) },
  })
}
