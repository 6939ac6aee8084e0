/** Judges every transaction that left the signers by its bytes, and by the time of its decision. */

import { createHash, createPublicKey, verify } from 'node:crypto'
import * as bitcoin from 'bitcoinjs-lib'
import { decodeFunctionData, parseAbi, parseTransaction, recoverTransactionAddress } from 'viem'
import { canonicalJson } from '../../../domain/canonical-json.js'
import { approvalMessage } from '../../../domain/controls/approval.js'
import { intentHash as hashIntent, type Intent } from '../../../domain/controls/intent.js'
import type { SigningRequest } from '../../../domain/signing/signer-protocol.js'
import { evmAddress } from '../../../signer/evm/evm-address.js'
import type { Keyring } from '../../../signer/keys/keyring.js'
import { parsePath } from '../../../signer/keys/path.js'
import { alice, aliceSecond, bob, carol, HOUR, ownScript, regtest, USDT } from '../fixture.js'
import { DEPOSIT_PATH, GAS_PATH, HOT_PATH, MASTER_PATH } from '../movements-fixture.js'
import { CHANGE, COIN_AMOUNT } from './build-request.js'
import type { Mark } from './disk.js'

const DAY = 24 * HOUR
const CONSOLIDATED = "m/84'/1'/1'/0/0"

/** Limits of any 24 hours in base units, by what they count. The policy of the run has the same. */
export type Limits = Readonly<Record<string, bigint>>

/** A transaction that left a signer. */
export interface Left {
  readonly request: SigningRequest
  readonly mark: Mark
  readonly raw: string
  /** Things that only one mined transaction can use: an account's nonce, or coins. */
  readonly uses: readonly string[]
}

interface Transfer {
  readonly to: string
  readonly amount: bigint
}

const keyOf = (intent: string, payload: string) => `${intent}/${payload}`
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

/** Remembers answers about objects that never change. */
function remembered<K extends object, V>(ask: (subject: K) => V): (subject: K) => V {
  const answers = new WeakMap<K, V>()
  return (subject) => {
    const known = answers.get(subject)
    if (known !== undefined) return known
    const answer = ask(subject)
    answers.set(subject, answer)
    return answer
  }
}

const intentHash = remembered((intent: Intent) => hashIntent(intent))

/** Returns the documented hash of a request's payload. */
const payloadHashOf = remembered(({ purpose, items, payload }: SigningRequest): string => {
  const prefix = purpose === 'cancel' ? 'keyturn-cancel-v1' : 'keyturn-payload-v1'
  return sha256(`${prefix}\n${canonicalJson(items === null ? payload : { items, payload })}`)
})

const feeOf = remembered(({ payload }: SigningRequest): bigint => {
  if (payload.family === 'evm') return BigInt(payload.gas) * BigInt(payload.max_fee_per_gas)
  const psbt = bitcoin.Psbt.fromBase64(payload.psbt, { network: regtest })
  const out = psbt.txOutputs.reduce((sum, output) => sum + output.value, 0n)
  return BigInt(psbt.txInputs.length) * COIN_AMOUNT - out
})

const nameOf = (request: SigningRequest) => keyOf(intentHash(request.intent), payloadHashOf(request))

/** Model of one signer. */
export class Model {
  readonly id: string
  readonly #keys: Keyring
  readonly #limits: Limits
  readonly #asked = new Map<string, SigningRequest>()
  /** Number of the claim that is judged, and its requests. */
  #claim = 0
  #together: readonly SigningRequest[] = []
  /** All transactions that left the signer. */
  readonly left: Left[] = []
  /** Transactions that the operator has not given up as lost. */
  #counted = new Set<Left>()

  constructor(id: string, keys: Keyring, limits: Limits) {
    this.id = id
    this.#keys = keys
    this.#limits = limits
  }

  /** Adds the requests of one claim. */
  ask(requests: readonly SigningRequest[], claim: number): void {
    this.#claim = claim
    this.#together = requests
    for (const request of requests) this.#asked.set(nameOf(request), request)
  }

  /**
   * Returns whether the journal lacks a decision whose transaction left, without acceptance by the operator.
   */
  isTakenBack(marks: readonly Mark[]): boolean {
    const held = new Set(marks.map((mark) => keyOf(mark.intentHash, mark.payloadHash)))
    return [...this.#counted].some(({ mark }) => !held.has(keyOf(mark.intentHash, mark.payloadHash)))
  }

  /** Accepts that decisions that the journal lacks are lost, so that the limits do not count them. */
  accept(marks: readonly Mark[]): void {
    const held = new Set(marks.map((mark) => keyOf(mark.intentHash, mark.payloadHash)))
    this.#counted = new Set(
      [...this.#counted].filter(({ mark }) => held.has(keyOf(mark.intentHash, mark.payloadHash))),
    )
  }

  /** Adds a transaction that left. @throws Error that names a broken rule. */
  async signed(request: SigningRequest, raw: string, marks: readonly Mark[], synced: number): Promise<void> {
    const { intent, purpose } = request
    const hash = intentHash(intent)
    const same = marks.filter((each) => each.intentHash === hash)
    const payloadHash = payloadHashOf(request)
    const mark = same.find((each) => each.payloadHash === payloadHash)
    if (!mark || mark.end > synced) throw new Error('It was signed before it was written down')
    if (intent.signer !== this.id) throw new Error(`${intent.signer} was to sign it, not ${this.id}`)
    if (marks.some((each) => each.id === intent.withdrawal && each.intentHash !== hash))
      throw new Error(`Two intents are called ${intent.withdrawal}`)
    const { uses, transfers } = await this.#read(request, raw)
    this.#requirePayouts(request, transfers)
    if (purpose === 'pay') {
      this.#requireQuorum(request)
      this.#requireInTime(request, mark, same)
    }
    const before = this.left.find(
      (each) => each.mark.payloadHash === payloadHash && intentHash(each.request.intent) === hash,
    )
    if (before && before.raw !== raw) throw new Error('The same request got other bytes')
    const left = { request, mark, raw, uses }
    this.left.push(left)
    this.#counted.add(left)
  }

  /** Checks the limits over every window, with the highest cost of each intent. */
  requireLimits(marks: readonly Mark[]): void {
    for (const [name, entries] of this.#spending(marks)) {
      const limit = this.#limits[name]
      if (limit === undefined) continue
      for (const { at } of entries) {
        const sum = entries.reduce(
          (all, each) => (each.at > at - DAY && each.at <= at ? all + each.amount : all),
          0n,
        )
        if (sum > limit) throw new Error(`${sum} of ${name} within 24 hours, where ${limit} is the limit`)
      }
    }
  }

  /** Returns the decisions in their order, as the limits count them. */
  #spending(marks: readonly Mark[]): Map<string, { at: number; amount: bigint }[]> {
    const held = new Map(marks.map((mark) => [keyOf(mark.intentHash, mark.payloadHash), mark]))
    for (const { mark } of this.#counted) {
      const key = keyOf(mark.intentHash, mark.payloadHash)
      if (!held.has(key)) held.set(key, mark)
    }
    const spending = new Map<string, { at: number; amount: bigint }[]>()
    const add = (name: string, at: number, amount: bigint) => {
      if (amount <= 0n) return
      spending.set(name, [...(spending.get(name) ?? []), { at, amount }])
    }
    const groups: { hash: string; mark: Mark; paid: boolean; fee: bigint; cancelFee: bigint }[] = []
    for (const [key, mark] of [...held].sort(([, a], [, b]) => a.at - b.at || a.end - b.end)) {
      const request = this.#asked.get(key)
      if (!request) throw new Error('Something was decided without a request')
      let group = groups.find((each) => each.hash === mark.intentHash && shareItems(each.mark, mark))
      if (!group) {
        group = { hash: mark.intentHash, mark, paid: false, fee: 0n, cancelFee: 0n }
        groups.push(group)
      }
      const { network, asset, kind } = request.intent
      const fee = feeOf(request)
      if (mark.purpose === 'cancel') {
        add(`${network} cancel`, mark.at, fee - group.cancelFee)
        if (fee > group.cancelFee) group.cancelFee = fee
        continue
      }
      const amount = paidOutputs(request).reduce((sum, output) => sum + BigInt(output.amount), 0n)
      if (kind === 'withdrawal' || kind === 'batch') {
        if (!group.paid) add(asset.coin, mark.at, amount)
      } else {
        add(`${network} fees`, mark.at, fee - group.fee)
        if (kind === 'gas_funding' && !group.paid) add(`${network} gas`, mark.at, amount)
      }
      // A part that is attempted again for another item pays that item for the first time.
      group.paid = true
      if (fee > group.fee) group.fee = fee
    }
    return spending
  }

  /** Reads the signed bytes with libraries that the signer does not use. */
  async #read(request: SigningRequest, raw: string): Promise<{ uses: string[]; transfers: Transfer[] }> {
    if (request.payload.family === 'utxo') {
      const transaction = bitcoin.Transaction.fromHex(raw)
      const uses = transaction.ins.map((input) => `${Buffer.from(input.hash).toString('hex')}:${input.index}`)
      const transfers = transaction.outs.map(({ script, value }) => ({
        to: bitcoin.address.fromOutputScript(script, regtest),
        amount: value,
      }))
      return { uses, transfers }
    }
    const serializedTransaction = raw as `0x02${string}`
    const { nonce, to, value, data, chainId } = parseTransaction(serializedTransaction)
    const from = await recoverTransactionAddress({ serializedTransaction })
    const uses = [`${chainId}/${from.toLowerCase()}/${nonce ?? 0}`]
    if (!data) return { uses, transfers: [{ to: to ?? '', amount: value ?? 0n }] }
    if (to?.toLowerCase() !== USDT.toLowerCase()) throw new Error('It calls a contract that is not the token')
    const abi = parseAbi(['function transfer(address to, uint256 amount) returns (bool)'])
    const [recipient, amount] = decodeFunctionData({ abi, data }).args
    return { uses, transfers: [{ to: recipient, amount }] }
  }

  /** Requires that each approved output is paid once and exactly, and that the rest returns to this seed. */
  #requirePayouts(request: SigningRequest, transfers: readonly Transfer[]): void {
    const own = new Set([
      ...[CHANGE, CONSOLIDATED].map((path) =>
        bitcoin.address.fromOutputScript(ownScript(path, this.#keys), regtest),
      ),
      ...[MASTER_PATH, HOT_PATH, DEPOSIT_PATH, GAS_PATH].map((path) =>
        evmAddress(this.#keys.at(parsePath(path) ?? []).publicKey),
      ),
    ])
    const isOwn = (address: string) => own.has(address) || own.has(address.toLowerCase())
    const wanted = request.purpose === 'cancel' ? [] : [...paidOutputs(request)]
    for (const { to, amount } of transfers) {
      const at = wanted.findIndex((each) => {
        const least = request.intent.fee_payer === 'recipient' ? feeOf(request) : 0n
        return each.address.toLowerCase() === to.toLowerCase() && BigInt(each.amount) - least === amount
      })
      if (at >= 0) wanted.splice(at, 1)
      else if (!isOwn(to)) throw new Error(`${amount} to ${to}, which no person approved`)
    }
    if (wanted.length > 0) throw new Error('It does not pay all that it says')
    const { kind, outputs } = request.intent
    if (kind !== 'withdrawal' && kind !== 'batch' && !outputs.every((each) => isOwn(each.address)))
      throw new Error('A movement leaves the own wallets')
  }

  #requireQuorum({ intent, approvals }: SigningRequest): void {
    const hash = intentHash(intent)
    const persons = new Set<string>()
    for (const each of approvals) {
      const pinned = [alice, aliceSecond, bob, carol].find(
        ({ approverId }) => approverId === each.approver_id,
      )
      if (!pinned || each.decision !== 'approve' || pinned.personId === intent.initiator) continue
      const x = Buffer.from(pinned.publicKey, 'base64').toString('base64url')
      const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
      const text = Buffer.from(approvalMessage({ ...each, intent_hash: hash }))
      if (verify(null, text, key, Buffer.from(each.signature, 'base64'))) persons.add(pinned.personId)
    }
    const movesUp =
      intent.kind === 'consolidation' ||
      intent.kind === 'gas_funding' ||
      (intent.kind === 'rebalance' &&
        intent.outputs[0]?.address === evmAddress(this.#keys.at(parsePath(MASTER_PATH) ?? []).publicKey))
    if (persons.size < 2 && !movesUp) throw new Error(`${persons.size} pinned people approved it`)
  }

  /** Requires that the first payout of each item was decided in time. */
  #requireInTime(request: SigningRequest, mark: Mark, same: readonly Mark[]): void {
    const { intent } = request
    const item = mark.items ?? [null]
    for (const each of item) {
      const first = same.find(
        ({ purpose, items }) => purpose === 'pay' && (each === null || items?.includes(each)),
      )
      if (!first) throw new Error('It was signed before it was written down')
      if (first.at >= Date.parse(intent.expires_at)) throw new Error('It was decided after it had expired')
      if (first.at < Date.parse(intent.created_at)) throw new Error('It was decided before it was made')
      // A decided payload may come again with its old approvals, later or in the same claim.
      if (first !== mark || mark.claim !== this.#claim) continue
      const alike = this.#together.filter((other) => nameOf(other) === nameOf(request))
      const stale = alike.every((other) =>
        other.approvals.some(({ signed_at }) => Date.parse(signed_at) < mark.at - 6 * HOUR),
      )
      if (stale) throw new Error('It was decided on approvals that were too old')
    }
  }
}

/**
 * Requires that no item of an intent is payable twice: each transaction that pays it excludes all others that
 * do.
 */
export function requireExclusion(all: readonly Left[]): void {
  const paying = new Map<string, Left[]>()
  for (const left of all) {
    const { request } = left
    if (request.purpose === 'cancel') continue
    for (const item of request.items ?? ['whole']) {
      const key = `${intentHash(request.intent)}/${item}`
      const others = paying.get(key) ?? []
      for (const other of others) {
        if (other.raw !== left.raw && !other.uses.some((each) => left.uses.includes(each)))
          throw new Error(`Item ${item} of ${request.intent.withdrawal} can be paid twice`)
      }
      paying.set(key, [...others, left])
    }
  }
}

function shareItems(a: Mark, b: Mark): boolean {
  return a.items === null || b.items === null || a.items.some((item) => b.items?.includes(item))
}

function paidOutputs({ intent, items }: SigningRequest) {
  return items ? items.flatMap((item) => intent.outputs[item] ?? []) : intent.outputs
}
