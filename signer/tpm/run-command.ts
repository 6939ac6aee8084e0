/** Runs one TPM 2.0 command, with a password or with a session whose secret never travels. */

import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Tpm } from './connect-tpm.js'
import { readTpm, sized, type TpmReader, u8, u16, u32 } from './marshal.js'

const NO_SESSIONS = 0x8001
const SESSIONS = 0x8002
const START_AUTH_SESSION = 0x176
const FLUSH_CONTEXT = 0x165
/** Handle of no object. */
const NULL_HANDLE = 0x40000007
const PASSWORD_SESSION = 0x40000009
const HMAC_SESSION = 0x00
const SHA256 = 0x000b
const NO_ALGORITHM = 0x0010
const NONCE_BYTES = 16

/**
 * Warnings after which the TPM has not executed the command and wants it again: it yielded, tests itself,
 * limits the rate of writes, asks for a retry, or has no access to its memory now.
 */
const TRY_AGAIN: ReadonlySet<number> = new Set([0x908, 0x90a, 0x920, 0x922, 0x923])
const PAUSE_MS = 20

/** Error of a command that the TPM refused. */
export class TpmRefusal extends Error {
  override readonly name = 'TpmRefusal'
  /** Response code without the number of the handle, parameter or session that it is about. */
  readonly reason: number

  constructor(code: number) {
    super(`the TPM refused with code 0x${code.toString(16)}`)
    this.reason = (code & 0x80) === 0 ? code & 0xfff : code & 0xbf
  }
}

/** Object that a command names, and its name: a hash of its public part, or the handle of a hierarchy. */
export interface Named {
  readonly handle: number
  readonly name: Buffer
}

/** Command without its authorisation. */
export interface Command {
  readonly code: number
  readonly handles: readonly Named[]
  readonly parameters: Buffer
}

/** Runs a command that needs no authorisation. @throws TpmRefusal */
export async function runPlain(tpm: Tpm, { code, handles, parameters }: Command): Promise<TpmReader> {
  return (await exchange(tpm, NO_SESSIONS, code, handles, parameters)).body
}

/** Runs a command with the password of its first handle, in the clear. @throws TpmRefusal */
export async function runWithPassword(tpm: Tpm, command: Command, password: Buffer): Promise<TpmReader> {
  const area = Buffer.concat([u32(PASSWORD_SESSION), sized(Buffer.alloc(0)), u8(0), sized(password)])
  const rest = Buffer.concat([u32(area.length), area, command.parameters])
  const { body } = await exchange(tpm, SESSIONS, command.code, command.handles, rest)
  return readTpm(body.take(body.u32()))
}

/**
 * Runs a command with an HMAC session of its own. The secret of the first handle authorises it, and is not in
 * its bytes. The response proves that a TPM with that secret executed this command now, so a program in
 * between can neither learn the secret nor answer with an earlier response.
 *
 * @throws TpmRefusal
 */
export async function runWithSecret(tpm: Tpm, command: Command, secret: Buffer): Promise<TpmReader> {
  const session = await startSession(tpm)
  try {
    const nonce = randomBytes(NONCE_BYTES)
    // The session is not to continue, so the TPM removes it with this command.
    const attributes = u8(0)
    const names = command.handles.map(({ name }) => name)
    const commandHash = sha256(u32(command.code), ...names, command.parameters)
    const mac = hmac(secret, commandHash, nonce, session.nonce, attributes)
    const area = Buffer.concat([u32(session.handle), sized(nonce), attributes, sized(mac)])
    const rest = Buffer.concat([u32(area.length), area, command.parameters])
    const { body } = await exchange(tpm, SESSIONS, command.code, command.handles, rest)
    const parameters = body.take(body.u32())
    const [theirNonce, theirAttributes, theirMac] = [body.sized(), body.take(1), body.sized()]
    const responseHash = sha256(u32(0), u32(command.code), parameters)
    const expected = hmac(secret, responseHash, theirNonce, nonce, theirAttributes)
    if (theirMac.length !== expected.length || !timingSafeEqual(theirMac, expected)) {
      throw new Error('the response is not of the TPM that holds the secret')
    }
    return readTpm(parameters)
  } catch (error) {
    // A refused command leaves its session there.
    await exchange(tpm, NO_SESSIONS, FLUSH_CONTEXT, [], u32(session.handle)).catch(() => undefined)
    throw error
  }
}

async function startSession(tpm: Tpm): Promise<{ readonly handle: number; readonly nonce: Buffer }> {
  const parameters = Buffer.concat([
    sized(randomBytes(NONCE_BYTES)),
    sized(Buffer.alloc(0)),
    u8(HMAC_SESSION),
    u16(NO_ALGORITHM),
    u16(SHA256),
  ])
  const handles = [NULL_HANDLE, NULL_HANDLE].map((handle) => ({ handle }))
  const { body } = await exchange(tpm, NO_SESSIONS, START_AUTH_SESSION, handles, parameters)
  return { handle: body.u32(), nonce: body.sized() }
}

async function exchange(
  tpm: Tpm,
  tag: number,
  code: number,
  handles: readonly { readonly handle: number }[],
  rest: Buffer,
): Promise<{ readonly body: TpmReader }> {
  const body = Buffer.concat([u32(code), ...handles.map(({ handle }) => u32(handle)), rest])
  const command = Buffer.concat([u16(tag), u32(body.length + 6), body])
  for (;;) {
    const response = readTpm(await tpm.send(command))
    response.take(6)
    const answer = response.u32()
    if (answer === 0) return { body: response }
    if (!TRY_AGAIN.has(answer & 0xfff)) throw new TpmRefusal(answer)
    await sleep(PAUSE_MS)
  }
}

function sha256(...parts: readonly Buffer[]): Buffer {
  return createHash('sha256').update(Buffer.concat(parts)).digest()
}

function hmac(secret: Buffer, ...parts: readonly Buffer[]): Buffer {
  return createHmac('sha256', secret).update(Buffer.concat(parts)).digest()
}
