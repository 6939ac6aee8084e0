/** `signer.json`: what enrolment agreed on. Public keys only. */

import { existsSync, readFileSync } from 'node:fs'
import { z } from 'zod'
import { KEY_ROLES } from '../../domain/signing/signer-protocol.js'
import { Failure } from '../failure.js'
import type { Home } from './home.js'

const schema = z.strictObject({
  version: z.literal(1),
  signer_id: z.string().min(1),
  merchant_id: z.string().min(1),
  name: z.string(),
  /** Where the platform is. */
  platform: z.url(),
  /** Base64 of the raw Ed25519 key, pinned from the enrolment token. */
  platform_public_key: z.string(),
  identity_public_key: z.string(),
  /** SHA-256 of the enrolment token, so that a repeated `init` is recognised. */
  token_hash: z.string(),
  enrolled_at: z.string(),
  /** Path or URL of the witness; homes made before witnesses existed get one at their first start. */
  witness: z.string().optional(),
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

/** Reads `signer.json`. @returns Null before enrolment. @throws Failure when it is damaged. */
export function readSignerFile(home: Home): SignerFile | null {
  if (!existsSync(home.signer)) return null
  const parsed = schema.safeParse(JSON.parse(readFileSync(home.signer, 'utf8')))
  if (!parsed.success) throw new Failure(`${home.signer} is damaged: ${z.prettifyError(parsed.error)}`)
  return parsed.data
}

/** As `readSignerFile`. @throws Failure before enrolment. */
export function requireSignerFile(home: Home): SignerFile {
  const file = readSignerFile(home)
  if (!file) throw new Failure(`${home.directory} holds no enrolled signer; run keyturn-signer init first`)
  return file
}
