/** Seals the policy, so that a change of `policy.json` counts only with the passphrase. */

import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { z } from 'zod'
import type { Home } from '../home/home.js'
import { writeFileAtomically } from '../home/write-file-atomically.js'

const KEY_BYTES = 32
const schema = z.strictObject({
  version: z.literal(1),
  /** Base64 HMAC-SHA256 over `policy`. */
  mac: z.string().regex(/^[A-Za-z0-9+/]{43}=$/),
  /** Text of `policy.json` as it was sealed, byte for byte. */
  policy: z.string(),
})

/** Relation of `policy.json` to the copy that was sealed last. */
export type SealState = 'sealed' | 'changed' | 'missing'

/** Derives the key of the seal. @param identity - Raw seed that the passphrase opens. */
export function policySealKey(identity: Uint8Array): Buffer {
  return Buffer.from(hkdfSync('sha256', identity, '', 'keyturn-policy-seal-v1', KEY_BYTES))
}

/**
 * Seals a policy and puts it in force. The seal comes first, so a crash in between leaves a policy that is
 * refused, and never another one.
 */
export function sealPolicy(home: Home, key: Uint8Array, text: string): void {
  const seal = { version: 1, mac: macOf(key, text).toString('base64'), policy: text }
  writeFileAtomically(home.seal, `${JSON.stringify(seal, null, 2)}\n`)
  if (!existsSync(home.policy) || readFileSync(home.policy, 'utf8') !== text) {
    writeFileAtomically(home.policy, text)
  }
}

/**
 * Returns the policy that was sealed last. `null` without one. Only the passphrase verifies the seal, see
 * `isSealed`.
 */
export function sealedPolicy(home: Home): string | null {
  return readSeal(home)?.policy ?? null
}

/**
 * Compares a policy with the copy that was sealed last. It needs no passphrase, and does not prove that the
 * seal is genuine.
 */
export function sealState(home: Home, text: string): SealState {
  const sealed = sealedPolicy(home)
  return sealed === null ? 'missing' : sealed === text ? 'sealed' : 'changed'
}

/** Returns whether this text was sealed with the key. */
export function isSealed(home: Home, key: Uint8Array, text: string): boolean {
  const seal = readSeal(home)
  return (
    seal !== null &&
    seal.policy === text &&
    timingSafeEqual(Buffer.from(seal.mac, 'base64'), macOf(key, text))
  )
}

function readSeal(home: Home): z.infer<typeof schema> | null {
  if (!existsSync(home.seal)) return null
  try {
    return schema.parse(JSON.parse(readFileSync(home.seal, 'utf8')))
  } catch {
    return null
  }
}

function macOf(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update('keyturn-policy-seal-v1\n').update(text).digest()
}
