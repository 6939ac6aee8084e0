/** Reads and writes `signer.json`, the result of the enrolment. It holds public keys only. */

import { createHmac, timingSafeEqual } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { z } from 'zod'
import { canonicalJson } from '../../domain/canonical-json.js'
import { KEY_ROLES } from '../../domain/signing/signer-protocol.js'
import { Failure } from '../failure.js'
import type { Home } from './home.js'
import { writeFileAtomically } from './write-file-atomically.js'

const schema = z.strictObject({
  version: z.literal(1),
  signer_id: z.string().min(1),
  merchant_id: z.string().min(1),
  name: z.string(),
  /** URL of the platform. */
  platform: z.url(),
  /** Platform's raw Ed25519 key in base64, pinned from the enrolment token. */
  platform_public_key: z.string(),
  identity_public_key: z.string(),
  /** SHA-256 of the enrolment token, so that a repeated `init` is recognised. */
  token_hash: z.string(),
  enrolled_at: z.string(),
  /** Path or URL of the witness. A home that is older than witnesses gets one at its first start. */
  witness: z.string().optional(),
  /**
   * Base64 HMAC over the other fields, by the key of the policy's seal. An older home gets one with `policy
   * accept`.
   */
  seal: z.string().optional(),
  xpubs: z.array(
    z.strictObject({
      network: z.string(),
      role: z.enum(KEY_ROLES),
      path: z.string(),
      xpub: z.string(),
      master_fingerprint: z.string(),
    }),
  ),
})

export type SignerFile = z.infer<typeof schema>

/** Reads `signer.json`. @returns `null` before enrolment. @throws Failure when it is damaged. */
export function readSignerFile(home: Home): SignerFile | null {
  if (!existsSync(home.signer)) return null
  const parsed = schema.safeParse(JSON.parse(readFileSync(home.signer, 'utf8')))
  if (!parsed.success) throw new Failure(`${home.signer} is damaged: ${z.prettifyError(parsed.error)}`)
  return parsed.data
}

/** Reads `signer.json`. @throws Failure when it is damaged, and before enrolment. */
export function requireSignerFile(home: Home): SignerFile {
  const file = readSignerFile(home)
  if (!file) throw new Failure(`${home.directory} holds no enrolled signer; run keyturn-signer init first`)
  return file
}

/** Writes `signer.json` with its seal. @param key - See `policySealKey`. */
export function writeSignerFile(home: Home, key: Uint8Array, file: SignerFile): void {
  const sealed = { ...file, seal: macOf(key, file).toString('base64') }
  writeFileAtomically(home.signer, `${JSON.stringify(sealed, null, 2)}\n`)
}

/**
 * Returns whether a file is as it was sealed. A changed one could name another witness, or another signer of
 * this seed.
 */
export function isSealedSignerFile(key: Uint8Array, file: SignerFile): boolean {
  const mac = macOf(key, file)
  const found = Buffer.from(file.seal ?? '', 'base64')
  return found.length === mac.length && timingSafeEqual(found, mac)
}

/**
 * Reads `signer.json` as `requireSignerFile` does.
 *
 * @throws Failure also when the file is not as it was sealed.
 */
export function requireSealedSignerFile(home: Home, key: Uint8Array): SignerFile {
  const file = requireSignerFile(home)
  if (isSealedSignerFile(key, file)) return file
  throw new Failure(
    `${home.signer} is not as it was sealed. Review it and seal it: keyturn-signer policy accept --home ${home.directory}`,
  )
}

function macOf(key: Uint8Array, { seal: _seal, ...file }: SignerFile): Buffer {
  return createHmac('sha256', key)
    .update(`keyturn-signer-seal-v1\n${canonicalJson(file)}`)
    .digest()
}
