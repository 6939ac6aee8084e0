/** Opens the witness at a place. */

import { isAbsolute } from 'node:path'
import { Failure } from '../failure.js'
import { type NvIndex, openNvIndex } from '../tpm/nv-index.js'
import { isTpmPlace, readTpmPlace } from './tpm-place.js'
import { openTpmRecordFile, tpmKeys } from './tpm-record.js'
import type { Witness } from './witness.js'
import { openFileWitness } from './witness-file.js'
import { openTpmWitness } from './witness-tpm.js'
import { openUrlWitness } from './witness-url.js'

/** Names of this machine itself. Calls to them leave no machine. */
const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]'])

/** Returns what keeps the witness at a place. */
export function witnessKind(place: string): 'file' | 'url' | 'tpm' {
  if (isTpmPlace(place)) return 'tpm'
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(place) ? 'url' : 'file'
}

/**
 * Opens the witness in a file, behind a URL or in a TPM. A URL gets the bearer token of
 * `KEYTURN_SIGNER_WITNESS_TOKEN`.
 *
 * @param key - Key of the home's seals, for a TPM. `null` in a command that has no passphrase and only reads.
 * @throws Failure when the place is neither an absolute path, an https URL without a password in it, nor an
 * index of a TPM.
 */
export function openWitness(place: string, key: Uint8Array | null): Witness {
  switch (witnessKind(place)) {
    case 'file':
      if (!isAbsolute(place)) throw new Failure(`The witness ${place} is not an absolute path`)
      return openFileWitness(place)
    case 'url':
      return openUrlOf(place)
    case 'tpm': {
      const records = openTpmRecordFile(readTpmPlace(place).file)
      return openTpmWitness(place, openTpmIndex(place, key), records, key && tpmKeys(key))
    }
  }
}

/** Opens the index of a place in a TPM. `KEYTURN_SIGNER_TPM_OWNER_AUTH` has the password of the TPM's owner. */
export function openTpmIndex(place: string, key: Uint8Array | null): NvIndex {
  const { device, index } = readTpmPlace(place)
  const owner = Buffer.from(process.env.KEYTURN_SIGNER_TPM_OWNER_AUTH ?? '')
  return openNvIndex(device, Number(index), key && tpmKeys(key).index, owner)
}

function openUrlOf(place: string): Witness {
  const url = URL.canParse(place) ? new URL(place) : null
  const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && LOOPBACK.has(url.hostname))
  if (!url || !isSafe) throw new Failure('The URL of a witness begins with https://')
  if (url.username || url.password) {
    throw new Failure('The URL of a witness holds no password; set KEYTURN_SIGNER_WITNESS_TOKEN')
  }
  return openUrlWitness(place, process.env.KEYTURN_SIGNER_WITNESS_TOKEN)
}
