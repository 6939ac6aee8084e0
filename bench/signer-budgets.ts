/** Measures time and memory of the largest requests that a signer decides on, beside their budgets. */

import { mnemonicToSeedSync } from '@scure/bip39'
import { Psbt, Transaction } from 'bitcoinjs-lib'
import {
  MAX_PAYLOAD_INPUTS,
  MAX_REQUEST_BYTES,
  type SigningRequest,
} from '../domain/signing/signer-protocol.js'
import { decide } from '../signer/decide.js'
import { openKeyring } from '../signer/keys/keyring.js'
import { parsePath } from '../signer/keys/path.js'
import {
  approved,
  BTC_RECIPIENT,
  btcIntent,
  btcRequest,
  CHANGE_PATH,
  FEE,
  iso,
  keyring,
  MINUTE,
  MNEMONIC,
  makeState,
  ownScript,
  regtest,
} from '../test/signer/fixture.js'
import { type Measurement, median } from './measurement.js'

const ROUNDS = 5
const BUDGET_MS = 1_000
const BUDGET_BYTES = 512 * 1_048_576
const COIN = 1_000_000n
const PAID = 80_000_000n
/**
 * Outputs of the parent. Each takes 31 bytes, in base64 a third more, and leaves room for the rest of the
 * request.
 */
const PARENT_OUTPUTS = Math.floor((MAX_REQUEST_BYTES - 20_000) / ((31 * 4) / 3))

/** Measures decisions of a signer that was just started, so that no key is derived yet. */
export async function benchSignerBudgets(): Promise<Measurement[]> {
  return [
    ...measure(`${MAX_PAYLOAD_INPUTS} inputs`, manyInputs()),
    ...measure('a parent of 4 MB', largeParent()),
  ]
}

function measure(what: string, request: SigningRequest): Measurement[] {
  const rounds: { milliseconds: number; bytes: number }[] = []
  for (let round = 0; round <= ROUNDS; round++) {
    const state = { ...makeState(), keyring: openKeyring(mnemonicToSeedSync(MNEMONIC)) }
    const before = process.memoryUsage().rss
    const started = performance.now()
    const decision = decide(request, state)
    const milliseconds = performance.now() - started
    if (decision.outcome === 'refused') throw new Error(`${what}: ${decision.code}: ${decision.message}`)
    // The first round also loads and compiles the code.
    if (round > 0) rounds.push({ milliseconds, bytes: process.memoryUsage().rss - before })
  }
  const milliseconds = median(rounds.map((each) => each.milliseconds))
  const bytes = Math.max(1, ...rounds.map((each) => each.bytes))
  return [
    line(`signer, one decision about ${what}`, 'ms', milliseconds, BUDGET_MS),
    line(`signer, memory of a decision about ${what}`, 'B at most', bytes, BUDGET_BYTES),
  ]
}

function line(name: string, unit: string, ours: number, budget: number): Measurement {
  return { name, unit, ours, against: 'budget', reference: budget, ratio: budget / ours, expected: 1 }
}

function manyInputs(): SigningRequest {
  const coins = Array.from({ length: MAX_PAYLOAD_INPUTS }, (_, index) => ({
    path: `m/84'/1'/0'/0/${index}`,
    amount: COIN,
  }))
  const change = COIN * BigInt(coins.length) - PAID - FEE
  const outputs = [
    { address: BTC_RECIPIENT, amount: PAID },
    { script: ownScript(CHANGE_PATH), amount: change, path: CHANGE_PATH },
  ]
  return btcRequest({ psbt: { coins, outputs } })
}

function largeParent(): SigningRequest {
  const path = "m/84'/1'/0'/0/7"
  const parent = new Transaction()
  parent.version = 2
  parent.addInput(Buffer.alloc(32, 1), 0)
  for (let index = 0; index < PARENT_OUTPUTS; index++) parent.addOutput(ownScript(path), PAID + FEE)
  const psbt = new Psbt({ network: regtest })
  psbt.setVersion(2)
  psbt.addInput({
    hash: parent.getId(),
    index: 0,
    sequence: 0xffff_fffd,
    nonWitnessUtxo: parent.toBuffer(),
    bip32Derivation: [
      {
        masterFingerprint: Buffer.from(keyring.fingerprint, 'hex'),
        path,
        pubkey: keyring.at(parsePath(path) ?? []).publicKey,
      },
    ],
  })
  psbt.addOutput({ address: BTC_RECIPIENT, value: PAID })
  return approved({
    id: 'srq_large',
    attempt: 1,
    purpose: 'pay',
    items: null,
    lease_until: iso(MINUTE),
    intent: btcIntent(),
    payload: { family: 'utxo', network: 'bitcoin', psbt: psbt.toBase64() },
  })
}
