/** Runs a small platform for tests. It answers by the protocol, and misbehaves when a test says so. */

import { generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { requestMessage } from '../../domain/signing/request-signature.js'
import type {
  ClaimRequest,
  EnrolRequest,
  GivenBack,
  SigningAnswer,
  SigningAnswers,
  SigningRequest,
} from '../../domain/signing/signer-protocol.js'
import { ed25519PublicKey } from '../../signer/keys/identity.js'

/** Fate of one answer of the platform. */
export type Misbehaviour = 'lost reply' | 'forged signature' | 'no signature' | 'server error' | 'refused'

/** A call that a hostile platform answers, with the platform's own key. */
export interface TakenOver {
  readonly path: string
  readonly response: ServerResponse
  /** Returns the header that makes these bytes the platform's answer to this call. */
  readonly signed: (raw: Buffer) => Record<string, string>
}

export interface PlatformDouble {
  readonly url: string
  readonly token: string
  /** Public key in base64. */
  readonly publicKey: string
  /** Faults in their order. The double behaves after the last. */
  readonly misbehave: Misbehaviour[]
  readonly enrolments: EnrolRequest[]
  readonly claims: ClaimRequest[]
  readonly answers: SigningAnswer[]
  /** Requests that were given back. */
  readonly givenBack: GivenBack[]
  /** Number of requests that brought answers. */
  posts: number
  /** Whether it offers runs. An older platform does not, and refuses a claim that asks for them. */
  runs: boolean
  /** Requests that the next claim gets. */
  readonly queue: SigningRequest[]
  knownJournal: { head: string; sequence: number }
  /** Answers in place of the platform, which was taken over. @returns Whether it did. */
  takeOver: ((call: TakenOver) => boolean) | null
  /** Fields of the enrolment's answer besides the honest ones. */
  enrolment: Record<string, unknown>
  waitFor<T>(what: () => T | undefined | false): Promise<T>
  /** Breaks every connection, so that no request of a stopped signer is still served. */
  disconnect(): void
  close(): Promise<void>
}

export async function startPlatform(): Promise<PlatformDouble> {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const stranger = generateKeyPairSync('ed25519').privateKey
  const { x } = publicKey.export({ format: 'jwk' })
  let enrolled: string | null = null

  const server = createServer((request, response) => {
    // A client that goes away in the middle of a request gets no answer.
    serve(request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const raw = Buffer.concat(chunks)
    const body = JSON.parse(raw.toString('utf8'))
    const signed = (bytes: Buffer) => {
      const message = Buffer.concat([
        Buffer.from(`keyturn-platform-v1\n${request.headers['x-nonce']}\n`),
        bytes,
      ])
      return { 'x-platform-signature': sign(null, message, privateKey).toString('base64') }
    }
    const [status, answer] = handle(request, raw, body)
    if (double.takeOver?.({ path: request.url ?? '', response, signed })) return
    const how = double.misbehave.shift()
    if (how === 'lost reply') return void request.socket.destroy()
    const text = JSON.stringify(
      how === 'refused' ? { success: false, error: { code: 'X', message: 'no' } } : answer,
    )
    const message = Buffer.from(`keyturn-platform-v1\n${request.headers['x-nonce']}\n${text}`)
    const signature = sign(null, message, how === 'forged signature' ? stranger : privateKey).toString(
      'base64',
    )
    response.writeHead(how === 'server error' ? 503 : how === 'refused' ? 422 : status, {
      'content-type': 'application/json',
      ...(how === 'no signature' ? {} : { 'x-platform-signature': signature }),
    })
    response.end(text)
  }

  function handle(request: IncomingMessage, raw: Buffer, body: unknown): [number, unknown] {
    const path = request.url ?? ''
    const identity =
      path === '/signer/v1/enrol' ? (body as EnrolRequest).identity_public_key : (enrolled ?? '')
    const message = requestMessage({
      timestamp: String(request.headers['x-timestamp']),
      nonce: String(request.headers['x-nonce']),
      method: 'POST',
      path,
      body: raw,
    })
    const signature = Buffer.from(String(request.headers['x-signature']), 'base64')
    if (!verify(null, Buffer.from(message), ed25519PublicKey(identity), signature))
      return [401, { success: false }]
    if (path === '/signer/v1/enrol') {
      double.enrolments.push(body as EnrolRequest)
      if (enrolled !== null && enrolled !== identity) {
        const error = { code: 'INVALID_ENROLMENT', message: 'This token was used' }
        return [422, { success: false, error }]
      }
      enrolled = identity
      const data = {
        signer_id: 'sig_1',
        merchant_id: 'mer_1',
        platform_public_key: double.publicKey,
        wallets: [],
        ...double.enrolment,
      }
      return [201, { success: true, data }]
    }
    if (path === '/signer/v1/claim') {
      const claim = body as ClaimRequest
      double.claims.push(claim)
      if (claim.runs && !double.runs) return [400, { success: false, error: { code: 'VALIDATION_FAILED' } }]
      const requests = claim.stopped ? [] : double.queue.splice(0)
      const offer = double.runs ? { runs: true } : {}
      return [200, { success: true, data: { known_journal: double.knownJournal, requests, ...offer } }]
    }
    double.posts++
    if (!isObject(body) || !('answers' in body)) {
      double.answers.push(body as SigningAnswer)
      return [200, { success: true, data: {} }]
    }
    if (!double.runs) return [400, { success: false, error: { code: 'VALIDATION_FAILED' } }]
    const { answers, ...position } = body as SigningAnswers
    for (const answer of answers) {
      if (answer.outcome === 'undecided') double.givenBack.push(answer)
      else double.answers.push({ ...answer, ...position })
    }
    const verdicts = answers.map(({ request_id }) => ({ request_id, replayed: false }))
    return [200, { success: true, data: { answers: verdicts } }]
  }

  const { port } = server.address() as AddressInfo
  const double: PlatformDouble = {
    url: `http://127.0.0.1:${port}`,
    token: `ket_${randomBytes(18).toString('base64url')}.${x}`,
    publicKey: Buffer.from(x ?? '', 'base64url').toString('base64'),
    misbehave: [],
    enrolments: [],
    claims: [],
    answers: [],
    givenBack: [],
    posts: 0,
    runs: false,
    queue: [],
    knownJournal: { head: '0'.repeat(64), sequence: 0 },
    takeOver: null,
    enrolment: {},
    async waitFor(what) {
      for (;;) {
        const found = what()
        if (found) return found
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
    },
    disconnect: () => server.closeAllConnections(),
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
  return double
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
