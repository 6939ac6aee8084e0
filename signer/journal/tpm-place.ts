/** Reads and writes the place of a witness in a TPM. */

import { isAbsolute } from 'node:path'
import { Failure } from '../failure.js'

/** Resource manager of the kernel, which several processes may use at once. */
const DEVICE = '/dev/tpmrm0'
const INDEX = /^0x01[0-9a-f]{6}$/
const KEYS = new Set(['device', 'file'])

/** Parts of a place, such as `tpm:0x01804b54?device=/dev/tpmrm0&file=/var/lib/keyturn-witness/1.tpm`. */
export interface TpmPlace {
  /** Index of the TPM's non-volatile memory, 0x01 and six hex digits. */
  readonly index: string
  /** Path of the TPM's device, or of the Unix socket of a TPM in software. */
  readonly device: string
  /** Path of the file that says what the TPM has counted. */
  readonly file: string
}

/** Returns whether a place is in a TPM. */
export function isTpmPlace(place: string): boolean {
  return /^tpm:/i.test(place)
}

/**
 * Reads a place.
 *
 * @param file - Path of the file where the place names none.
 * @throws Failure when it has another form.
 */
export function readTpmPlace(place: string, file?: string): TpmPlace {
  const at = place.indexOf('?')
  const index = place.slice('tpm:'.length, at === -1 ? undefined : at).toLowerCase()
  const parts = new URLSearchParams(at === -1 ? '' : place.slice(at))
  if (!INDEX.test(index) || [...parts.keys()].some((key) => !KEYS.has(key))) {
    throw new Failure(
      'A witness in a TPM is named tpm:0x01 with six more hex digits; ?device=PATH&file=PATH may follow',
    )
  }
  const read = {
    index,
    device: parts.get('device') ?? DEVICE,
    file: parts.get('file') ?? file ?? '',
  }
  for (const path of [read.device, read.file]) {
    if (!isAbsolute(path))
      throw new Failure(`The witness ${place} needs absolute paths of its device and file`)
  }
  return read
}

/** Returns the place as `signer.json` names it, with all its parts. */
export function writeTpmPlace({ index, device, file }: TpmPlace): string {
  const parts = Object.entries({ device, file }).map(([key, path]) => {
    return `${key}=${encodeURIComponent(path).replaceAll('%2F', '/')}`
  })
  return `tpm:${index}?${parts.join('&')}`
}
