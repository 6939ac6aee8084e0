/** Reads an approver's credentials: the API key that sends a decision, and the Ed25519 key that signs it. */

import { createPrivateKey, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { z } from 'zod'
import { Failure } from './failure.js'

/** Credentials of an approver. Commands that only show do not read the private key. */
export interface Credentials {
  /** Base URL of the API, without a slash at the end. */
  readonly api: string
  readonly apiKey: string
  readonly apiSecret: string
  readonly approverId: string
  /** Reads the private key. @throws Failure when there is none. */
  readonly privateKey: () => KeyObject
}

const file = z.object({
  api: z.url().optional(),
  api_key: z.string().min(1),
  api_secret: z.string().min(1),
  approver_id: z.string().min(1).optional(),
  /** Id of the approver, as the local stack writes it. */
  id: z.string().min(1).optional(),
  private_key_file: z.string().optional(),
  ed25519_private_key_pem: z.string().optional(),
})

/**
 * Reads credentials from a file, or from the environment without one.
 *
 * @throws Failure that names what is missing.
 */
export function readCredentials(path: string | undefined, environment = process.env): Credentials {
  const from = path ? fromFile(path) : fromEnvironment(environment)
  const api = from.api ?? environment.KEYTURN_API
  const missing = Object.entries({
    'KEYTURN_API (or api)': api,
    'KEYTURN_API_KEY (or api_key)': from.apiKey,
    'KEYTURN_API_SECRET (or api_secret)': from.apiSecret,
    'KEYTURN_APPROVER_ID (or approver_id)': from.approverId,
  }).flatMap(([name, value]) => (value ? [] : [name]))
  if (missing.length > 0) throw new Failure(`Missing: ${missing.join(', ')}; see keyturn-approve --help`)
  return {
    api: (api ?? '').replace(/\/+$/, ''),
    apiKey: from.apiKey ?? '',
    apiSecret: from.apiSecret ?? '',
    approverId: from.approverId ?? '',
    privateKey: () => parseKey(from.pem, from.keyFile),
  }
}

interface Source {
  readonly api?: string | undefined
  readonly apiKey?: string | undefined
  readonly apiSecret?: string | undefined
  readonly approverId?: string | undefined
  readonly pem?: string | undefined
  readonly keyFile?: string | undefined
}

function fromFile(path: string): Source {
  const parsed = file.safeParse(JSON.parse(readFileSync(path, 'utf8')))
  if (!parsed.success) throw new Failure(`${path}: ${z.prettifyError(parsed.error)}`)
  const { data } = parsed
  return {
    api: data.api,
    apiKey: data.api_key,
    apiSecret: data.api_secret,
    approverId: data.approver_id ?? data.id,
    pem: data.ed25519_private_key_pem,
    keyFile: data.private_key_file ? resolve(dirname(path), data.private_key_file) : undefined,
  }
}

function fromEnvironment(environment: NodeJS.ProcessEnv): Source {
  return {
    apiKey: environment.KEYTURN_API_KEY,
    apiSecret: environment.KEYTURN_API_SECRET,
    approverId: environment.KEYTURN_APPROVER_ID,
    pem: environment.KEYTURN_APPROVER_KEY,
    keyFile: environment.KEYTURN_APPROVER_KEY_FILE,
  }
}

function parseKey(pem: string | undefined, keyFile: string | undefined): KeyObject {
  const text = pem ?? (keyFile ? readFileSync(keyFile, 'utf8') : null)
  if (!text)
    throw new Failure(
      'There is no private key: set KEYTURN_APPROVER_KEY_FILE, or private_key_file in the file',
    )
  const key = createPrivateKey(text)
  if (key.asymmetricKeyType !== 'ed25519') throw new Failure('The private key is not an Ed25519 key')
  return key
}
