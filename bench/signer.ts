/**
 * Measures signatures a second of the customer's signer, with every check and the journal, beside the bare
 * libraries. Both sides get the same payloads as objects, with every key derived before, and return the
 * signed transaction as hex; ours returns its hash too, with low-R signatures on Bitcoin. The reference checks
 * nothing, writes nothing and uses one thread. Ours verifies approvals and reads transactions back on other
 * threads, so a line of its own compares the time of all processors.
 */

import { join } from 'node:path'
import { mnemonicToSeedSync } from '@scure/bip39'
import { BIP32Factory, type BIP32Interface } from 'bip32'
import { networks, Psbt } from 'bitcoinjs-lib'
import * as ecc from 'tiny-secp256k1'
import { privateKeyToAccount } from 'viem/accounts'
import type { SigningRequest } from '../domain/signing/signer-protocol.js'
import { decideWitnessed } from '../signer/decide.js'
import { type JournalStore, openFileStore, openMemoryStore } from '../signer/journal/journal-store.js'
import { openMemoryWitness, type Witness } from '../signer/journal/witness.js'
import { openFileWitness } from '../signer/journal/witness-file.js'
import {
  approved,
  btcIntent,
  COINS,
  ethIntent,
  ethPayload,
  iso,
  MINUTE,
  MNEMONIC,
  makePsbt,
  makeState,
  PAYING_PATH,
} from '../test/signer/fixture.js'
import type { BenchContext } from './context.js'
import { type Measurement, median } from './measurement.js'

const EXPECTED = 0.7
const ROUNDS = 5
/**
 * Requests of each kind in a round. A claim hands out at most 32 at a time (`db/signing/claim-requests.ts`).
 */
const REQUESTS = 512
const BATCH = 32
const ONE_AT_A_TIME = 64

interface Kind {
  readonly name: string
  readonly library: string
  readonly requests: readonly SigningRequest[]
  /** Signs a request's payload without any check. */
  bare(request: SigningRequest): Promise<string> | string
}

/**
 * Measures rounds that decide on new requests in a new journal, then sign the same payloads with the library
 * alone.
 */
export async function benchSigner(context: BenchContext): Promise<Measurement[]> {
  const root = BIP32Factory(ecc).fromSeed(mnemonicToSeedSync(MNEMONIC))
  const measurements: Measurement[] = []
  for (const kind of [segwitPayouts(root), typeTwoPayouts(root)]) {
    const rounds: Record<Side, Speed>[] = []
    for (let round = 0; round <= ROUNDS; round++) {
      const file = join(context.directory, `signer-${kind.library}-${round}`)
      const figures = {
        file: await perSecond(kind.requests, (all) =>
          decide(all, openFileStore(file), openFileWitness(`${file}-witness`), BATCH),
        ),
        bare: await perSecond(kind.requests, async (all) => {
          for (const request of all) await kind.bare(request)
        }),
        memory: await perSecond(kind.requests, (all) =>
          decide(all, openMemoryStore(), openMemoryWitness(), BATCH),
        ),
        single: await perSecond(kind.requests.slice(0, ONE_AT_A_TIME), (few) =>
          decide(few, openFileStore(`${file}-single`), openFileWitness(`${file}-single-witness`), 1),
        ),
      }
      if (round > 0) rounds.push(figures)
    }
    const line = (
      side: Exclude<Side, 'bare'>,
      what: string,
      expected: number | null,
      of: keyof Speed = 'elapsed',
    ): Measurement => ({
      name: `signer, ${kind.name}, ${what}`,
      unit: '/s',
      ours: median(rounds.map((each) => each[side][of])),
      against: `${kind.library} alone`,
      reference: median(rounds.map((each) => each.bare[of])),
      ratio: median(rounds.map((each) => each[side][of] / each.bare[of])),
      expected,
    })
    measurements.push(
      line('file', `journal and witness synced every ${BATCH}`, EXPECTED),
      line('memory', 'journal in memory', EXPECTED),
      line('single', 'journal and witness synced every time', null),
      line('file', 'a second of all processors together', null, 'used'),
    )
  }
  return measurements
}

type Side = 'file' | 'memory' | 'single' | 'bare'

interface Speed {
  /** Transactions a second. */
  readonly elapsed: number
  /** Transactions a second of processor time, of all threads. */
  readonly used: number
}

async function perSecond(
  requests: readonly SigningRequest[],
  sign: (requests: readonly SigningRequest[]) => Promise<void>,
): Promise<Speed> {
  const started = performance.now()
  const before = process.cpuUsage()
  await sign(requests)
  const { user, system } = process.cpuUsage(before)
  return {
    elapsed: requests.length / ((performance.now() - started) / 1_000),
    used: requests.length / ((user + system) / 1_000_000),
  }
}

/** Does what the exchange does with each batch that it claims. */
async function decide(
  requests: readonly SigningRequest[],
  store: JournalStore,
  witness: Witness,
  size: number,
): Promise<void> {
  const state = makeState({ store, witness, policy: liftLimits })
  for (let from = 0; from < requests.length; from += size) {
    const batch = requests.slice(from, from + size)
    const decisions = await decideWitnessed(batch, state)
    for (const decision of decisions)
      if (decision.outcome === 'refused') throw new Error(`${decision.code}: ${decision.message}`)
  }
  state.journal.close()
}

/** Lifts the limits of a policy so far that all payouts fit. They are still checked. */
function liftLimits(
  file: Parameters<NonNullable<NonNullable<Parameters<typeof makeState>[0]>['policy']>>[0],
): void {
  for (const network of Object.values(file.networks))
    for (const asset of Object.values(network.assets)) asset.daily = '1000000'
}

function segwitPayouts(root: BIP32Interface): Kind {
  const keys = COINS.map((coin) => root.derivePath(coin.path))
  return {
    name: 'P2WPKH of two inputs',
    library: 'bitcoinjs-lib',
    requests: Array.from({ length: REQUESTS }, (_, index) =>
      approved({
        id: `srq_btc_${index}`,
        attempt: 1,
        purpose: 'pay',
        items: null,
        lease_until: iso(MINUTE),
        intent: btcIntent({ withdrawal: `withdrawal_btc_${index}` }),
        payload: {
          family: 'utxo',
          network: 'bitcoin',
          // Another amount makes another parent, so that each payout spends coins of its own. The difference
          // is fee.
          psbt: makePsbt({ coins: COINS.map((coin) => ({ ...coin, amount: coin.amount + BigInt(index) })) }),
        },
      }),
    ),
    bare({ payload }) {
      if (payload.family !== 'utxo') throw new Error('Another family')
      const psbt = Psbt.fromBase64(payload.psbt, { network: networks.regtest })
      for (const [index, key] of keys.entries()) psbt.signInput(index, key)
      psbt.finalizeAllInputs()
      return psbt.extractTransaction().toHex()
    },
  }
}

function typeTwoPayouts(root: BIP32Interface): Kind {
  const key = root.derivePath(PAYING_PATH).privateKey
  if (!key) throw new Error('The derived key has no private part')
  const account = privateKeyToAccount(`0x${Buffer.from(key).toString('hex')}`)
  return {
    name: 'EIP-1559',
    library: 'viem',
    requests: Array.from({ length: REQUESTS }, (_, index) =>
      approved({
        id: `srq_eth_${index}`,
        attempt: 1,
        purpose: 'pay',
        items: null,
        lease_until: iso(MINUTE),
        intent: ethIntent({ withdrawal: `withdrawal_eth_${index}` }),
        payload: ethPayload({ nonce: index }),
      }),
    ),
    bare({ payload }) {
      if (payload.family !== 'evm') throw new Error('Another family')
      return account.signTransaction({
        type: 'eip1559',
        chainId: payload.chain_id,
        nonce: payload.nonce,
        to: payload.to as `0x${string}`,
        value: BigInt(payload.value),
        data: payload.data as `0x${string}`,
        gas: BigInt(payload.gas),
        maxFeePerGas: BigInt(payload.max_fee_per_gas),
        maxPriorityFeePerGas: BigInt(payload.max_priority_fee_per_gas),
      })
    },
  }
}
