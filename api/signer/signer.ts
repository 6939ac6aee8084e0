/** Serves `/signer/v1`: customers' signers connect, prove their identity and take requests to sign. */

import { createPublicKey, verify } from 'node:crypto'
import { type Context, Hono } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { z } from 'zod'
import { masterKeysOf, oldestMasterKey } from '../../config/master-keys.js'
import { claimSignerNonce } from '../../db/access/claim-signer-nonce.js'
import { watchNotices } from '../../db/notices.js'
import type { AnsweringSigner } from '../../db/signing/answered-request.js'
import { claimRequests } from '../../db/signing/claim-requests.js'
import { enrolSigner } from '../../db/signing/enrol-signer.js'
import { type EnrolledSigner, findSigner } from '../../db/signing/find-signer.js'
import { loadPlatformKey, type PlatformKey } from '../../db/signing/platform-key.js'
import { seeSigner } from '../../db/signing/see-signer.js'
import { KeyturnError } from '../../domain/errors.js'
import { refuseEd25519Key } from '../../domain/signing/refuse-ed25519-key.js'
import { requestMessage } from '../../domain/signing/request-signature.js'
import {
  type ClaimResponse,
  KEY_ROLES,
  SIGNER_STOPS,
  type SigningRequest,
} from '../../domain/signing/signer-protocol.js'
import { enrolmentError } from '../../domain/signing/verify-xpub-report.js'
import type { ApiDependencies, ApiEnv } from '../context.js'
import { errorBody, handleError, toKeyturnError, validationError } from '../http/map-error.js'
import { NONCE_MARGIN_MS } from '../middleware/admit-once.js'
import type { AddressGuard } from '../middleware/guard-addresses.js'
import { decodeJson, readBody } from '../middleware/read-body.js'
import { isSeveral, journal, signingAnswer, signingAnswers, storeAnswer, storeAnswers } from './answers.js'

const TIMESTAMP = /^\d{1,15}$/
const NONCE = /^[\x21-\x7e]{1,64}$/
/** Longest long poll, and the interval at which a waiting claim checks for work without a notification. */
const MOST_WAIT_SECONDS = 25
const GLANCE_MS = 1_000
/** DER prefix of an Ed25519 public key (RFC 8410), which the 32 raw bytes follow. */
const SPKI_ED25519 = Buffer.from('302a300506032b6570032100', 'hex')

const rawKey = z
  .string()
  .regex(/^[A-Za-z0-9+/]{43}=$/, 'base64 of 32 bytes')
  .superRefine((text, context) => {
    const raw = Buffer.from(text, 'base64')
    const reason =
      refuseEd25519Key(raw) ?? (raw.toString('base64') === text ? null : 'is not written canonically')
    if (reason !== null) context.addIssue({ code: 'custom', message: reason })
  })
const enrolment = z.strictObject({
  token: z.string().min(1).max(200),
  identity_public_key: rawKey,
  name: z.string().min(1).max(100),
  version: z.string().min(1).max(50),
  xpubs: z
    .array(
      z.strictObject({
        network: z.string().max(31),
        role: z.enum(KEY_ROLES),
        path: z.string().max(50),
        xpub: z.string().max(200),
        master_fingerprint: z.string().regex(/^[0-9a-f]{8}$/),
        proof: z.string().max(200),
      }),
    )
    .max(200),
  ...journal,
})
const claim = z.strictObject({
  ...journal,
  wait_seconds: z.number().min(0),
  stopped: z.enum(SIGNER_STOPS).optional(),
  runs: z.literal(true).optional(),
})
/**
 * Builds the routes for `/signer/v1`. They share nothing with the authentication of merchants: a signer
 * proves its identity by its identity key, and the platform's key signs every answer, errors included.
 */
export function signerRoutes(dependencies: ApiDependencies, guard: AddressGuard): Hono<ApiEnv> {
  const { sql, networks, environment } = dependencies
  let platform: Promise<PlatformKey> | null = null
  const platformKey = () => {
    platform ??= loadPlatformKey(sql, masterKeysOf(environment), oldestMasterKey(environment))
    // Do not keep a failed attempt, so that the next request tries again.
    platform.catch(() => {
      platform = null
    })
    return platform
  }
  const app = new Hono<ApiEnv>()
  app.use(async (c, next) => {
    guard.begin(c, signerIdOf(c))
    await next()
    // Count every failed request, for every fault, because the API read the body of an unproven sender.
    if (!c.get('signerKnown') && c.res.status < 500) guard.failed(c, signerIdOf(c))
  })
  app.use(readBody(environment.KEYTURN_BODY_LIMIT))

  const respond = async (
    c: Context<ApiEnv>,
    status: ContentfulStatusCode,
    body: unknown,
  ): Promise<Response> => {
    const text = JSON.stringify(body)
    const nonce = c.req.header('x-nonce') ?? ''
    const message = Buffer.from(`keyturn-platform-v1\n${nonce}\n${text}`, 'utf8')
    const { sign } = await platformKey()
    return c.body(text, status, {
      'Content-Type': 'application/json',
      'X-Platform-Signature': sign(message).toString('base64'),
    })
  }
  app.onError((thrown, c) => {
    // The common handler logs unexpected errors and sets Retry-After. Its text is signed here.
    const error = toKeyturnError(thrown)
    if (error.status >= 500) void handleError(thrown, c)
    return respond(
      c,
      error.status as ContentfulStatusCode,
      errorBody(error, c.get('requestId') ?? 'req_unknown'),
    )
  })

  /** Checks signature and time of a request under an identity key. @returns The time of the signature. */
  const authenticate = async (c: Context<ApiEnv>, identity: Uint8Array): Promise<number> => {
    const timestamp = c.req.header('x-timestamp') ?? ''
    const nonce = c.req.header('x-nonce') ?? ''
    const message = requestMessage({
      timestamp,
      nonce,
      method: c.req.method,
      path: c.get('sentPath'),
      body: c.get('rawBody'),
    })
    const signature = Buffer.from(c.req.header('x-signature') ?? '', 'base64')
    if (!verify(null, Buffer.from(message, 'utf8'), publicKey(identity), signature)) throw invalidSignature()
    const windowMs = environment.KEYTURN_REQUEST_TIME_WINDOW
    const sentAt = Number(timestamp) * 1_000
    if (!TIMESTAMP.test(timestamp) || Math.abs(Date.now() - sentAt) > windowMs) {
      throw new KeyturnError(
        'TIMESTAMP_OUT_OF_RANGE',
        `X-Timestamp must be Unix seconds at most ${Math.floor(windowMs / 1_000)} s off. Check your clock`,
        { details: { server_time: Math.floor(Date.now() / 1_000) } },
      )
    }
    return sentAt
  }

  /**
   * Signers that proved their identity to this process. An identity never changes, and the claim of a nonce
   * checks each time that its signer was not revoked.
   */
  const proven = new Map<string, EnrolledSigner>()

  /** Claims the nonce of a request. It writes a row, so call it for an authenticated signer only. */
  const takeNonce = async (
    c: Context<ApiEnv>,
    identity: Uint8Array,
    sentAt: number,
    signer?: EnrolledSigner,
  ): Promise<void> => {
    const nonce = c.req.header('x-nonce') ?? ''
    const until = new Date(sentAt + environment.KEYTURN_REQUEST_TIME_WINDOW + NONCE_MARGIN_MS)
    const fresh = NONCE.test(nonce) && (await claimSignerNonce(sql, identity, nonce, until, !!signer))
    if (!fresh && signer && !(await findSigner(sql, signer.id))) {
      proven.delete(signer.id)
      throw invalidSignature()
    }
    c.set('signerKnown', true)
    guard.passed(c, signerIdOf(c))
    if (fresh) return
    throw new KeyturnError(
      'NONCE_REUSED',
      'Create a new X-Nonce of 1 to 64 visible ASCII characters for every request',
    )
  }

  const caller = async (c: Context<ApiEnv>): Promise<AnsweringSigner> => {
    const signer = proven.get(signerIdOf(c)) ?? (await findSigner(sql, signerIdOf(c)))
    if (!signer) throw invalidSignature()
    const sentAt = await authenticate(c, signer.identityPublicKey)
    await takeNonce(c, signer.identityPublicKey, sentAt, signer)
    proven.set(signer.id, signer)
    return signer
  }

  app.post('/enrol', async (c) => {
    const body = parse(enrolment, c)
    const identity = Buffer.from(body.identity_public_key, 'base64')
    const sentAt = await authenticate(c, identity)
    const { enrolled, created } = await enrolSigner(sql, networks, body).catch(asEnrolmentError)
    // The sender is known now. A repeated enrolment changes nothing, so the nonce may be claimed last.
    await takeNonce(c, identity, sentAt)
    const { publicKey } = await platformKey()
    const data = { ...enrolled, platform_public_key: publicKey.toString('base64') }
    return respond(c, created ? 201 : 200, { success: true, data })
  })

  app.post('/claim', async (c) => {
    const signer = await caller(c)
    const body = parse(claim, c)
    const known = await seeSigner(sql, signer.id, {
      head: body.journal_head,
      sequence: body.journal_sequence,
      stopped: body.stopped ?? null,
    })
    const until = Date.now() + Math.min(body.wait_seconds, MOST_WAIT_SECONDS) * 1_000
    let requests: SigningRequest[] = []
    // A signer whose journal is behind the known one was restored from a backup. It gets the known position
    // and nothing to sign.
    const behind = body.journal_sequence < known.sequence || body.journal_head !== known.head
    // The watch begins before the first query, so that no notification comes between a query and its wait.
    const watch = watchNotices(sql, 'signing_request', signer.id)
    try {
      for (;;) {
        if (!behind && !body.stopped)
          requests = await claimRequests(sql, signer.id, environment.KEYTURN_SIGNER_LEASE, body.runs)
        const left = until - Date.now()
        if (requests.length > 0 || left <= 0 || behind || c.req.raw.signal.aborted) break
        await watch.wait(Math.min(left, GLANCE_MS), c.req.raw.signal)
      }
    } finally {
      watch.end()
    }
    const data: ClaimResponse = { known_journal: known, requests, runs: true }
    return respond(c, 200, { success: true, data })
  })

  app.post('/answers', async (c) => {
    const signer = await caller(c)
    const posted = parse(z.unknown(), c)
    const { data, position } = isSeveral(posted)
      ? await storeAnswers(dependencies, signer, parse(signingAnswers, c))
      : await storeAnswer(dependencies, signer, parse(signingAnswer, c))
    await seeSigner(sql, signer.id, position)
    return respond(c, 200, { success: true, data })
  })

  return app
}

function signerIdOf(c: Context<ApiEnv>): string {
  return c.req.header('x-signer-id') ?? ''
}

function parse<T>(schema: z.ZodType<T>, c: Context<ApiEnv>): T {
  let value: unknown
  try {
    value = JSON.parse(decodeJson(c.get('rawBody')))
  } catch (cause) {
    if (cause instanceof KeyturnError) throw cause
    throw new KeyturnError('MALFORMED_JSON', 'The body is not valid JSON', { cause })
  }
  const parsed = schema.safeParse(value)
  if (!parsed.success) throw validationError(parsed.error, 'json')
  return parsed.data
}

function publicKey(raw: Uint8Array) {
  return createPublicKey({ key: Buffer.concat([SPKI_ED25519, raw]), format: 'der', type: 'spki' })
}

/** Creates one error for an unknown signer and for a wrong signature, so that a sender cannot learn which ids exist. */
function invalidSignature(): KeyturnError {
  return new KeyturnError(
    'INVALID_SIGNATURE',
    'No enrolled signer signed this request. Check X-Signer-Id and X-Signature',
  )
}

function asEnrolmentError(error: unknown): never {
  if (error instanceof KeyturnError && error.code === 'UNSUPPORTED_NETWORK') {
    throw enrolmentError('UNSUPPORTED_NETWORK', error.message)
  }
  throw error
}
