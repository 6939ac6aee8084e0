/**
 * A double of the customer's signer that tests script: it has real keys and speaks the real protocol, but has
 * no policy.
 */

import {
  createHash,
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto'
import { BIP32Factory, type BIP32Interface } from 'bip32'
import { Psbt } from 'bitcoinjs-lib'
import * as ecc from 'tiny-secp256k1'
import { privateKeyToAccount } from 'viem/accounts'
import type { Network, Networks } from '../../domain/chain/network.js'
import {
  type ClaimResponse,
  KEY_ROLES,
  type Payload,
  ROLE_ACCOUNT,
  type SigningAnswer,
  type SigningRequest,
  type XpubReport,
  xpubProofMessage,
} from '../../domain/signing/signer-protocol.js'
import type { TestApi } from './test-api.js'

const ZEROS = '0'.repeat(64)
type Behaviour = (request: SigningRequest) => Promise<Partial<SigningAnswer> | 'silent'>

interface Run {
  stop(): Promise<void>
}

export interface SignerDouble {
  /** Seed of every key (BIP-32). */
  readonly seed: Buffer
  readonly identity: KeyObject
  readonly identityPublicKey: string
  readonly signerId: string
  /** Requests that it claimed, oldest first. */
  readonly claimed: SigningRequest[]
  /** Sends a signed request of this signer. */
  send(path: string, body: unknown, options?: SendOptions): Promise<SignerAnswer>
  /** Enrols with a token. @param change - Changes the reported keys. */
  enrol(token: string, change?: (xpubs: XpubReport[]) => XpubReport[]): Promise<SignerAnswer>
  /** Returns reports of its keys. @param fingerprint - Replaces the real one; the proofs cover it. */
  reports(fingerprint?: string): XpubReport[]
  /** Claims requests. */
  claim(waitSeconds?: number): Promise<ClaimResponse>
  /** Sends an answer, and moves the head of its journal on. */
  answer(answer: Partial<SigningAnswer> & { request_id: string }): Promise<SignerAnswer>
  /** Signs a payload without any check. */
  sign(payload: Payload): Promise<Partial<SigningAnswer>>
  /** Claims and answers until `stop()`, of this run or of all. Signs everything by default. */
  run(behaviour?: Behaviour): Run
  /** Stops all runs. */
  stop(): Promise<void>
}

export interface SendOptions {
  readonly timestamp?: string
  readonly nonce?: string
  readonly signerId?: string | null
  readonly signature?: string
}

export interface SignerAnswer {
  readonly status: number
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: a test reads any answer
  readonly json: any
  readonly signature: string
  readonly nonce: string
}

/** Creates a signer that is not enrolled yet. @param seed - Default: a random seed. */
export function createSignerDouble(
  api: Pick<TestApi, 'app'>,
  networks: Networks,
  seed: Buffer = randomBytes(32),
): SignerDouble {
  const root = BIP32Factory(ecc).fromSeed(seed)
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const identityPublicKey = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32).toString('base64')
  let signerId = ''
  let sequence = 0
  let head = ZEROS
  const claimed: SigningRequest[] = []
  const runs = new Set<Run>()

  const account = (network: Network, path: string): BIP32Interface => {
    const key = root.derivePath(path)
    if (network.family === 'utxo') key.network = { ...key.network, bip32: network.bip32 }
    return key
  }

  const reports = (fingerprint = Buffer.from(root.fingerprint).toString('hex')): XpubReport[] =>
    [...networks.values()].flatMap((network) =>
      KEY_ROLES.map((role) => {
        const { purpose, coinType } = network.derivation
        const path = `m/${purpose}'/${coinType}'/${ROLE_ACCOUNT[role]}'`
        const key = account(network, path)
        const report = {
          network: network.name,
          role,
          path,
          xpub: key.neutered().toBase58(),
          master_fingerprint: fingerprint,
        }
        const hash = createHash('sha256').update(xpubProofMessage(report, identityPublicKey)).digest()
        return { ...report, proof: Buffer.from(key.sign(hash)).toString('base64') }
      }),
    )

  const send = async (path: string, body: unknown, options: SendOptions = {}): Promise<SignerAnswer> => {
    const text = JSON.stringify(body)
    const timestamp = options.timestamp ?? String(Math.floor(Date.now() / 1_000))
    const nonce = options.nonce ?? randomBytes(12).toString('hex')
    const digest = createHash('sha256').update(text).digest('hex')
    const message = [timestamp, nonce, 'POST', path, digest].join('\n')
    const signature = options.signature ?? sign(null, Buffer.from(message), privateKey).toString('base64')
    const id = options.signerId === undefined ? signerId : options.signerId
    const response = await api.app.request(
      `http://api.test${path}`,
      {
        method: 'POST',
        body: text,
        headers: {
          'Content-Type': 'application/json',
          'X-Timestamp': timestamp,
          'X-Nonce': nonce,
          'X-Signature': signature,
          ...(id ? { 'X-Signer-Id': id } : {}),
        },
      },
      { incoming: { url: path } },
    )
    const answered = await response.text()
    return {
      status: response.status,
      text: answered,
      json: JSON.parse(answered),
      signature: response.headers.get('x-platform-signature') ?? '',
      nonce,
    }
  }

  const journal = () => ({ journal_head: head, journal_sequence: sequence })

  const double: SignerDouble = {
    seed,
    identity: createPrivateKey(privateKey.export({ format: 'pem', type: 'pkcs8' })),
    identityPublicKey,
    get signerId() {
      return signerId
    },
    claimed,
    send,
    reports,
    async enrol(token, change = (xpubs) => xpubs) {
      const answer = await send(
        '/signer/v1/enrol',
        {
          token,
          identity_public_key: identityPublicKey,
          name: 'double',
          version: '0.0.0',
          xpubs: change(reports()),
          ...journal(),
        },
        { signerId: null },
      )
      if (answer.json.success) signerId = answer.json.data.signer_id
      return answer
    },
    async claim(waitSeconds = 0) {
      const answer = await send('/signer/v1/claim', { ...journal(), wait_seconds: waitSeconds })
      if (answer.status !== 200) throw new Error(answer.text)
      const response = answer.json.data as ClaimResponse
      claimed.push(...response.requests)
      return response
    },
    answer(answer) {
      sequence += 1
      head = createHash('sha256').update(`${head}${sequence}`).digest('hex')
      return send('/signer/v1/answers', { ...answer, ...journal() })
    },
    async sign(payload) {
      if (payload.family === 'evm') {
        const key = root.derivePath(payload.derivation_path).privateKey
        if (!key) throw new Error('no key')
        const signer = privateKeyToAccount(`0x${Buffer.from(key).toString('hex')}`)
        const signed = await signer.signTransaction({
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
        const { keccak256 } = await import('viem')
        return { outcome: 'signed', signed_transaction: signed, transaction_hash: keccak256(signed) }
      }
      const psbt = Psbt.fromBase64(payload.psbt)
      psbt.data.inputs.forEach((input, index) => {
        const path = input.bip32Derivation?.[0]?.path
        if (!path) throw new Error('no path')
        psbt.signInput(index, root.derivePath(path))
      })
      psbt.finalizeAllInputs()
      const transaction = psbt.extractTransaction(true)
      return {
        outcome: 'signed',
        signed_transaction: transaction.toHex(),
        transaction_hash: transaction.getId(),
      }
    },
    run(behaviour = (request) => double.sign(request.payload)) {
      let running = true
      const loop = (async () => {
        while (running) {
          const { requests } = await double.claim(1)
          for (const request of requests) {
            const answer = await behaviour(request)
            if (answer === 'silent') continue
            const stored = await double.answer({ ...answer, request_id: request.id })
            if (stored.status !== 200) throw new Error(stored.text)
          }
        }
      })()
      const run = {
        async stop() {
          running = false
          runs.delete(run)
          await loop
        },
      }
      runs.add(run)
      return run
    },
    async stop() {
      await Promise.all([...runs].map((run) => run.stop()))
    },
  }
  return double
}
