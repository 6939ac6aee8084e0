/**
 * Makes the requests of a compromised platform from small numbers, each for one intent, payload and set of
 * approvals.
 */

import { address as addresses } from 'bitcoinjs-lib'
import type { Approval } from '../../../domain/controls/approval.js'
import {
  type Intent,
  type IntentKind,
  type IntentOutput,
  intentHash,
} from '../../../domain/controls/intent.js'
import type { SigningRequest } from '../../../domain/signing/signer-protocol.js'
import { evmAddress } from '../../../signer/evm/evm-address.js'
import type { Keyring } from '../../../signer/keys/keyring.js'
import { parsePath } from '../../../signer/keys/path.js'
import {
  type Approver,
  alice,
  aliceSecond,
  approve,
  BTC_RECIPIENT,
  BTC_STRANGER,
  bob,
  btcIntent,
  type Coin,
  call,
  carol,
  ethIntent,
  ethPayload,
  HOUR,
  keyring,
  MINUTE,
  makePsbt,
  mallory,
  otherKeyring,
  ownScript,
  RECIPIENT,
  regtest,
  STRANGER,
  USDT,
  usdtIntent,
} from '../fixture.js'
import { DEPOSIT_PATH, GAS_PATH, HOT_PATH, MASTER_PATH } from '../movements-fixture.js'

/** The two signers of one merchant, each with a seed and a journal of its own. */
export const SIGNERS = [
  { id: 'sig_1', keys: keyring },
  { id: 'sig_2', keys: otherKeyring },
] as const
export type SignerIndex = 0 | 1

export const FORMS = [
  'eth',
  'usdt',
  'btc',
  'eth_batch',
  'btc_batch',
  'sweep',
  'gas',
  'up',
  'down',
  'consolidation',
] as const
export type Form = (typeof FORMS)[number]

/** Plan of one intent. */
export interface IntentPlan {
  readonly form: Form
  /** Signer that shall pay. */
  readonly signer: SignerIndex
  /** Id: a new one, that of an earlier intent of any kind, or the old name of a part of a batch. */
  readonly id: 'new' | 'earlier' | 'part'
  readonly pick: number
  /** Step of the amount. */
  readonly size: number
  /** Age in minutes before the clock of the platform. A negative age lies after it. */
  readonly age: number
  readonly lifeHours: number
  /** Whether one of the approvers requested it. */
  readonly selfish: boolean
}

/** Plan of one payload. */
export interface PayloadPlan {
  readonly cancel: boolean
  readonly nonce: number
  readonly hot: boolean
  /** Step of the fee. */
  readonly fee: number
  /** Bits of the coins that are spent, and of the items of a batch that are paid. */
  readonly coins: number
  readonly items: number
  /** One change that no person approved. */
  readonly lie: 'none' | 'recipient' | 'amount' | 'hash'
}

export const CROWDS = [
  'two',
  'others',
  'recent',
  'one',
  'one_twice',
  'stranger',
  'forged',
  'of_another',
  'stale',
  'future',
  'rejected',
  'none',
] as const
/** Set of approvers, and whether they really signed. */
export type Crowd = (typeof CROWDS)[number]

/** An intent with the facts that the model needs. */
export interface MadeIntent {
  readonly form: Form
  readonly intent: Intent
  readonly hash: string
}

const KIND: Readonly<Record<Form, IntentKind>> = {
  eth: 'withdrawal',
  usdt: 'withdrawal',
  btc: 'withdrawal',
  eth_batch: 'batch',
  btc_batch: 'batch',
  sweep: 'consolidation',
  gas: 'gas_funding',
  up: 'rebalance',
  down: 'rebalance',
  consolidation: 'consolidation',
}
const ETHER = 10n ** 18n
/** Amount of every coin. */
export const COIN_AMOUNT = 60_000_000n
/** Paths of the destinations that movements name. */
const DESTINATION: Partial<Record<Form, string>> = {
  sweep: MASTER_PATH,
  gas: DEPOSIT_PATH,
  up: MASTER_PATH,
  down: HOT_PATH,
  consolidation: "m/84'/1'/1'/0/0",
}
export const CHANGE = "m/84'/1'/1'/1/0"
export const COIN_PATHS = [0, 1, 2, 3].map((index) => `m/84'/1'/0'/0/${index}`)

const isUtxo = (form: Form) => form === 'btc' || form === 'btc_batch' || form === 'consolidation'
const evmAt = (keys: Keyring, path: string) => evmAddress(keys.at(parsePath(path) ?? []).publicKey)
const iso = (at: number) => new Date(at).toISOString()
/** Returns the coins of some bits, at least one. */
const coinsOf = (bits: number, keys: Keyring): Coin[] =>
  COIN_PATHS.flatMap((path, salt) =>
    ((bits % 15) + 1) & (1 << salt) ? [{ path, amount: COIN_AMOUNT, salt, keys }] : [],
  )
const itemsOf = (bits: number): number[] => [0, 1, 2].filter((item) => ((bits % 7) + 1) & (1 << item))

function idOf(plan: IntentPlan, made: readonly MadeIntent[]): string {
  const kind = KIND[plan.form]
  const earlier = made[plan.pick % Math.max(1, made.length)]?.intent.withdrawal
  if (plan.id === 'earlier' && earlier) return earlier
  if (plan.id === 'part' && earlier) return `${earlier}#0`
  return `${kind === 'withdrawal' || kind === 'batch' ? kind : 'mov'}_${made.length}`
}

function outputsOf({ form, size, signer }: IntentPlan): IntentOutput[] {
  const { keys } = SIGNERS[signer]
  const own = DESTINATION[form]
  const evm = (amount: bigint) => [{ address: own ? evmAt(keys, own) : RECIPIENT, amount: `${amount}` }]
  const step = BigInt(size + 1)
  switch (form) {
    case 'eth':
    case 'up':
    case 'down':
    case 'sweep':
      return evm((step * ETHER) / 2n)
    case 'gas':
      return evm(step * 10n ** 15n)
    case 'usdt':
      return evm(step * 25_000_000n)
    case 'eth_batch':
      return [RECIPIENT, RECIPIENT, STRANGER].map((address, at) => ({
        address,
        amount: `${(step * ETHER) / (at === 2 ? 2n : 4n)}`,
      }))
    case 'btc':
      return [{ address: BTC_RECIPIENT, amount: `${step * 10_000_000n}` }]
    case 'btc_batch':
      return [BTC_RECIPIENT, BTC_STRANGER, BTC_RECIPIENT].map((address, at) => ({
        address,
        amount: `${step * BigInt(at + 1) * 2_000_000n}`,
      }))
    case 'consolidation':
      return [
        {
          address: addresses.fromOutputScript(ownScript(own ?? '', keys), regtest),
          amount: `${BigInt((size % 4) + 1) * COIN_AMOUNT}`,
        },
      ]
  }
}

/** Makes an intent. @param now - Time of the platform's clock. */
export function makeIntent(plan: IntentPlan, made: readonly MadeIntent[], now: number): MadeIntent {
  const { form } = plan
  const base = isUtxo(form) ? btcIntent() : form === 'usdt' ? usdtIntent() : ethIntent()
  const movesItself = DESTINATION[form] !== undefined && form !== 'down'
  const created = now - plan.age * MINUTE
  const intent: Intent = {
    ...base,
    kind: KIND[form],
    withdrawal: idOf(plan, made),
    signer: SIGNERS[plan.signer].id,
    outputs: outputsOf(plan),
    fee_payer: form === 'sweep' || form === 'consolidation' ? 'recipient' : 'sender',
    initiator: movesItself ? 'system:treasury' : plan.selfish ? alice.personId : 'per_dave',
    created_at: iso(created),
    expires_at: iso(created + plan.lifeHours * HOUR),
  }
  return { form, intent, hash: intentHash(intent) }
}

/** Makes a request for the signer that is asked, with its keys, also when another signer shall pay. */
export function makeRequest(
  { form, intent, hash }: MadeIntent,
  payload: PayloadPlan,
  crowd: Crowd,
  asked: SignerIndex,
  now: number,
  id: string,
): SigningRequest {
  const { keys } = SIGNERS[asked]
  const isBatch = intent.kind === 'batch'
  const evmItem = payload.items % 3
  const items = !isBatch ? null : form === 'eth_batch' && !payload.cancel ? [evmItem] : itemsOf(payload.items)
  const paid = items ? items.flatMap((item) => intent.outputs[item] ?? []) : intent.outputs
  const destination = DESTINATION[form]
  return {
    id,
    attempt: payload.fee + 1,
    purpose: payload.cancel ? 'cancel' : 'pay',
    items,
    intent,
    intent_hash: payload.lie === 'hash' ? 'ab'.repeat(32) : hash,
    approvals: payload.cancel ? [] : approvalsOf(crowd, hash, Date.parse(intent.created_at), now),
    ...(destination === undefined ? {} : { destination_path: destination }),
    payload: isUtxo(form)
      ? { family: 'utxo', network: 'bitcoin', psbt: psbtOf(form, paid, payload, keys) }
      : evmOf(form, paid, payload, keys),
    lease_until: iso(now + MINUTE),
  }
}

function psbtOf(form: Form, paid: readonly IntentOutput[], plan: PayloadPlan, keys: Keyring): string {
  // A consolidation moves all of the coins.
  const count = form === 'consolidation' ? Number(BigInt(paid[0]?.amount ?? 0) / COIN_AMOUNT) : null
  const all = coinsOf(14, keys)
  const coins =
    count === null ? coinsOf(plan.coins, keys) : [...all, ...all].slice(plan.coins % 4).slice(0, count)
  const fee = 2_000n + BigInt(plan.fee) * 1_000n
  const listed = (plan.cancel ? [] : paid).map(({ address, amount }, at) => ({
    address: plan.lie === 'recipient' && at === 0 ? BTC_STRANGER : address,
    amount: BigInt(amount) - (form === 'consolidation' ? fee : 0n) + (plan.lie === 'amount' ? 1n : 0n),
  }))
  const total = coins.reduce((sum, coin) => sum + coin.amount, 0n)
  const rest = total - listed.reduce((sum, output) => sum + output.amount, 0n) - fee
  const place = parsePath(CHANGE) ?? []
  return makePsbt({
    coins,
    outputs: listed,
    change: (psbt) => {
      if (rest <= 0n) return
      psbt.addOutput({
        script: ownScript(CHANGE, keys),
        value: rest,
        bip32Derivation: [
          {
            masterFingerprint: Buffer.from(keys.fingerprint, 'hex'),
            path: CHANGE,
            pubkey: keys.at(place).publicKey,
          },
        ],
      })
    },
  })
}

const PAYER: Partial<Record<Form, string>> = {
  sweep: DEPOSIT_PATH,
  gas: GAS_PATH,
  up: HOT_PATH,
  down: MASTER_PATH,
}

function evmOf(form: Form, paid: readonly IntentOutput[], plan: PayloadPlan, keys: Keyring) {
  const path = PAYER[form] ?? (plan.hot ? HOT_PATH : MASTER_PATH)
  const from = evmAt(keys, path)
  const price = 30n + 10n * BigInt(plan.fee)
  const [output] = paid
  const to = plan.lie === 'recipient' ? STRANGER : (output?.address ?? RECIPIENT)
  const gas = plan.cancel ? 30_000n : form === 'usdt' ? 65_000n : 21_000n
  const fee = gas * price * 10n ** 9n
  const amount =
    BigInt(output?.amount ?? 0) - (form === 'sweep' ? fee : 0n) + (plan.lie === 'amount' ? 1n : 0n)
  const what = plan.cancel
    ? { to: from, value: '0', data: '0x' }
    : form === 'usdt'
      ? { to: USDT, value: '0', data: call('transfer', to, amount) }
      : { to, value: `${amount}`, data: '0x' }
  return ethPayload({
    from,
    derivation_path: path,
    nonce: plan.nonce,
    gas: `${gas}`,
    max_fee_per_gas: `${price * 10n ** 9n}`,
    ...what,
  })
}

function approvalsOf(crowd: Crowd, hash: string, created: number, now: number): Approval[] {
  const soon = Math.min(created + MINUTE, now)
  const by = (approvers: readonly Approver[], at = soon) =>
    approvers.map((each) => approve(hash, each, { signedAt: iso(at) }))
  switch (crowd) {
    case 'two':
      return by([alice, bob])
    case 'others':
      return by([bob, carol])
    case 'recent':
      return by([alice, carol], now)
    case 'one':
      return by([alice])
    case 'one_twice':
      return by([alice, aliceSecond])
    case 'stranger':
      return by([alice, mallory])
    case 'forged':
      return by([alice, { ...mallory, approverId: bob.approverId, personId: bob.personId }])
    case 'of_another':
      return [...by([alice]), approve(hash, bob, { signedAt: iso(soon), signedHash: 'cd'.repeat(32) })]
    case 'stale':
      return by([alice, bob], now - 7 * HOUR)
    case 'future':
      return by([alice, bob], now + HOUR)
    case 'rejected':
      return [...by([alice, bob]), approve(hash, carol, { decision: 'reject', signedAt: iso(soon) })]
    case 'none':
      return []
  }
}
