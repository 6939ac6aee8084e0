/** `status`: what a signer is and how it stands; needs no passphrase. */

import { existsSync, readFileSync } from 'node:fs'
import { processOf } from '../home/claim-home.js'
import { type Home, homeAt } from '../home/home.js'
import { openHomeJournal } from '../home/open-home.js'
import { requireSignerFile } from '../home/signer-file.js'
import { parsePolicy } from '../policy/policy.js'
import { sealState } from '../policy/seal.js'
import { SIGNER_VERSION } from '../version.js'
import { type Command, homeOption, printJson, readOptions } from './command.js'
import { readContact } from './contact.js'

const help = `keyturn-signer status --home DIR

Prints id, journal head, whether it is paused or locked, the policy's hash, whether it
runs and when the platform was last heard, as JSON.

  --home DIR   directory of this signer (also KEYTURN_SIGNER_HOME)`

const UNSEALED = {
  changed: 'policy.json is not the one that was sealed; nothing is signed until keyturn-signer policy accept',
  missing: 'policy.json was never sealed; nothing is signed until keyturn-signer policy accept',
} as const

/** The command. */
export const statusCommand: Command = {
  help,
  async run(args) {
    const { home: directory } = readOptions(args, { home: { type: 'string' } })
    const home = homeAt(homeOption(directory))
    const signer = requireSignerFile(home)
    const journal = openHomeJournal(home, 'read')
    const { head, sequence } = journal.position
    journal.close()
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
      journal: { head, sequence },
      paused: existsSync(home.paused),
      locked: existsSync(home.locked) ? JSON.parse(readFileSync(home.locked, 'utf8')) : false,
      policy: policyState(home),
    })
  },
}

/** Whether the seal itself is genuine only `run` can tell, which has the passphrase. */
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
