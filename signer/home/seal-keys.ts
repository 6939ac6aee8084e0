/** Seals seed and identity on disk with scrypt over the passphrase and AES-256-GCM. */

import { createCipheriv, createDecipheriv, randomBytes, scryptSync } from 'node:crypto'
import { z } from 'zod'
import { Failure } from '../failure.js'

/** Secrets that are sealed. */
export interface SignerKeys {
  /** BIP-39 words of the seed. */
  readonly mnemonic: string
  /** Raw 32-byte Ed25519 seed of the identity. */
  readonly identity: Buffer
}

/** Cost of scrypt. 2^17 blocks of 1 KiB are 128 MiB and about half a second for each guess. */
export const DEFAULT_SCRYPT_N = 2 ** 17
const SCRYPT_R = 8
const KEY_BYTES = 32
const base64 = z.string().regex(/^[A-Za-z0-9+/]*={0,2}$/)

const sealedSchema = z.strictObject({
  version: z.literal(1),
  kdf: z.strictObject({
    name: z.literal('scrypt'),
    n: z
      .int()
      .min(2)
      .max(2 ** 22),
    r: z.literal(SCRYPT_R),
    p: z.literal(1),
    salt: base64,
  }),
  cipher: z.literal('aes-256-gcm'),
  nonce: base64,
  tag: base64,
  ciphertext: base64,
})
const keysSchema = z.strictObject({ mnemonic: z.string(), identity: base64 })

/**
 * Seals keys under a passphrase.
 *
 * @param n - Lower than the default in tests only.
 * @returns The text of `keys.json`.
 */
export function sealKeys(keys: SignerKeys, passphrase: string, n = DEFAULT_SCRYPT_N): string {
  const kdf = {
    name: 'scrypt' as const,
    n,
    r: SCRYPT_R as 8,
    p: 1 as const,
    salt: randomBytes(16).toString('base64'),
  }
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', stretch(passphrase, kdf), nonce)
  cipher.setAAD(associated(kdf))
  const clear = JSON.stringify({ mnemonic: keys.mnemonic, identity: keys.identity.toString('base64') })
  const ciphertext = Buffer.concat([cipher.update(clear, 'utf8'), cipher.final()])
  return `${JSON.stringify(
    {
      version: 1,
      kdf,
      cipher: 'aes-256-gcm',
      nonce: nonce.toString('base64'),
      tag: cipher.getAuthTag().toString('base64'),
      ciphertext: ciphertext.toString('base64'),
    },
    null,
    2,
  )}\n`
}

/** Opens `keys.json`. @throws Failure when the passphrase is wrong or the file was changed. */
export function openKeys(text: string, passphrase: string): SignerKeys {
  const sealed = sealedSchema.safeParse(JSON.parse(text))
  if (!sealed.success) throw new Failure('keys.json is not a sealed key file')
  const { kdf, nonce, tag, ciphertext } = sealed.data
  const decipher = createDecipheriv('aes-256-gcm', stretch(passphrase, kdf), Buffer.from(nonce, 'base64'), {
    authTagLength: 16,
  })
  decipher.setAAD(associated(kdf))
  decipher.setAuthTag(Buffer.from(tag, 'base64'))
  let clear: string
  try {
    clear = Buffer.concat([decipher.update(Buffer.from(ciphertext, 'base64')), decipher.final()]).toString(
      'utf8',
    )
  } catch {
    throw new Failure('keys.json cannot be opened: the passphrase is wrong, or the file was changed')
  }
  const keys = keysSchema.parse(JSON.parse(clear))
  return { mnemonic: keys.mnemonic, identity: Buffer.from(keys.identity, 'base64') }
}

type Kdf = z.infer<typeof sealedSchema>['kdf']

function stretch(passphrase: string, kdf: Kdf): Buffer {
  // Node counts a little more than 128 * n * r, so the limit is twice that.
  const maxmem = 256 * kdf.n * kdf.r + 1_048_576
  return scryptSync(passphrase.normalize('NFKC'), Buffer.from(kdf.salt, 'base64'), KEY_BYTES, {
    N: kdf.n,
    r: kdf.r,
    p: kdf.p,
    maxmem,
  })
}

/** Returns the parameters as associated data, so that they are authenticated too. */
function associated(kdf: Kdf): Buffer {
  return Buffer.from(`keyturn-signer-keys-v1\n${kdf.name} ${kdf.n} ${kdf.r} ${kdf.p} ${kdf.salt}`)
}
