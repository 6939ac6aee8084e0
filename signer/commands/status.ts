/** `status`: prints the state of a signer. It needs no passphrase. */

import { existsSync, readFileSync } from 'node:fs'
import { processOf } from '../home/claim-home.js'
import { type Home, homeAt } from '../home/home.js'
import { openHomeJournal } from '../home/open-home.js'
import { requireSignerFile, type SignerFile } from '../home/signer-file.js'
import { witnessWarning } from '../home/witness-place.js'
import { compareWitness } from '../journal/compare-witness.js'
import type { Journal } from '../journal/journal.js'
import { openWitness } from '../journal/open-witness.js'
import { parsePolicy } from '../policy/policy.js'
import { sealState } from '../policy/seal.js'
import { SIGNER_VERSION } from '../version.js'
import { type Command, homeOption, printJson, readOptions } from './command.js'
import { readContact } from './contact.js'

const help = `keyturn-signer status --home DIR

Prints as JSON: its id, the journal's head and size, the position that its witness holds, whether
it is paused or locked, the policy's hash, whether it runs, and when the platform last answered.

  --home DIR   directory of this signer (also KEYTURN_SIGNER_HOME)`

const UNSEALED = {
  changed: 'policy.json is not the one that was sealed; nothing is signed until keyturn-signer policy accept',
  missing: 'policy.json was never sealed; nothing is signed until keyturn-signer policy accept',
} as const

/** The `status` command. */
export const statusCommand: Command = {
  help,
  async run(args) {
    const { home: directory } = readOptions(args, { home: { type: 'string' } })
    const home = homeAt(homeOption(directory))
    const signer = requireSignerFile(home)
    const journal = existsSync(home.journal) ? openHomeJournal(home, 'read') : null
    printJson({
      signer_id: signer.signer_id,
      merchant_id: signer.merchant_id,
      name: signer.name,
      version: SIGNER_VERSION,
      platform: signer.platform,
      identity_public_key: signer.identity_public_key,
      running: processOf(home) !== null,
      pid: processOf(home),
      last_contact: readContact(home),
      journal: journal
        ? {
            head: journal.position.head,
            sequence: journal.position.sequence,
            last_entry_at: lastEntryAt(journal),
            ...sizeOf(journal),
          }
        : null,
      witness: await witnessState(home, signer, journal),
      paused: existsSync(home.paused),
      locked: existsSync(home.locked) ? JSON.parse(readFileSync(home.locked, 'utf8')) : false,
      policy: policyState(home),
    })
    journal?.close()
  },
}

/** Returns what the witness holds, and a warning about an unsafe place. */
async function witnessState(home: Home, signer: SignerFile, journal: Journal | null) {
  const place = signer.witness
  if (place === undefined) return { place: null, state: 'none yet: the next run makes one' }
  const warning = witnessWarning(home, place)
  const about = { place, ...(warning ? { warning } : {}) }
  try {
    const witness = openWitness(place, null)
    if (!journal) return { ...about, state: 'behind', known: await witness.read() }
    const { how, known, reason } = await compareWitness(witness, journal)
    return { ...about, state: how, known, ...(reason ? { reason } : {}) }
  } catch (error) {
    return { ...about, state: 'unknown', reason: error instanceof Error ? error.message : 'unknown' }
  }
}

/** Returns the time of the last entry. `null` for an empty journal. */
function lastEntryAt(journal: Journal): string | null {
  return journal.lastAt === 0 ? null : new Date(journal.lastAt).toISOString()
}

function sizeOf(journal: Journal) {
  const { lines, bytes, bytesLastDay } = journal.size(Math.max(Date.now(), journal.lastAt))
  return { lines, bytes, bytes_last_day: bytesLastDay }
}

/** Returns the state of the policy. Only `run`, which has the passphrase, can verify the seal itself. */
function policyState(home: Home) {
  try {
    const text = readFileSync(home.policy, 'utf8')
    const policy = parsePolicy(text)
    const seal = sealState(home, text)
    return {
      usable: seal === 'sealed',
      seal,
      ...(seal === 'sealed' ? {} : { reason: UNSEALED[seal] }),
      hash: policy.hash,
      approvers: policy.approvers.size,
      quorum: policy.quorum,
    }
  } catch (error) {
    return { usable: false, reason: error instanceof Error ? error.message : 'unknown' }
  }
}
