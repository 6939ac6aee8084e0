/** `witness`: moves the witness of a journal that is whole to another place. */

import { existsSync } from 'node:fs'
import { Failure } from '../failure.js'
import { claimHome } from '../home/claim-home.js'
import { homeAt } from '../home/home.js'
import { readLock } from '../home/lock-file.js'
import { openHomeJournal, openHomeKeys } from '../home/open-home.js'
import { readPassphrase } from '../home/read-passphrase.js'
import { requireSealedSignerFile, requireSignerFile } from '../home/signer-file.js'
import { keepWitnessPlace, startWitness } from '../home/start-witness.js'
import { earlierSnapshots, witnessPlace, witnessWarning } from '../home/witness-place.js'
import { openWitness } from '../journal/open-witness.js'
import { type Command, homeOption, printJson, readOptions, requireOption } from './command.js'

const help = `keyturn-signer witness --home DIR --to PATH|URL|tpm:INDEX

Moves the witness to another place, once the present one has confirmed that the journal
is whole. Stop the signer first. The command takes the old file or index of a TPM out of
use, so that a copy of this home that still names it is locked. Take an old URL out of use
yourself.

  --home DIR        directory of this signer (also KEYTURN_SIGNER_HOME)
  --to PATH|URL|tpm:INDEX
                    a file outside the home, best on a disk of its own; an https URL, which
                    gets KEYTURN_SIGNER_WITNESS_TOKEN as a bearer token; or a free index of
                    this machine's TPM 2.0, such as tpm:0x01804b54, which the command
                    creates with KEYTURN_SIGNER_TPM_OWNER_AUTH, the password of the TPM's
                    owner (default: none)
  --passphrase-file FILE   else KEYTURN_SIGNER_PASSPHRASE, else asked for: it seals the place`

/** The `witness` command. */
export const witnessCommand: Command = {
  help,
  async run(args) {
    const options = readOptions(args, {
      home: { type: 'string' },
      to: { type: 'string' },
      'passphrase-file': { type: 'string' },
    })
    const home = homeAt(homeOption(options.home))
    const named = requireOption(options.to, 'to')
    const to = witnessPlace(home, named, requireSignerFile(home).identity_public_key)
    if (readLock(home)) throw new Failure('The signer is locked; see keyturn-signer unlock --help')
    const release = claimHome(home)
    try {
      if (!existsSync(home.journal)) throw new Failure(`${home.journal} is missing`)
      const { sealKey } = openHomeKeys(home, await readPassphrase(options['passphrase-file']))
      const signer = requireSealedSignerFile(home, sealKey)
      const whole = openHomeJournal(home, 'write')
      const { lock } = await startWitness(home, sealKey, signer, whole, true)
      if (lock)
        throw new Failure(
          `The present witness does not confirm the journal (${lock.how}): start the signer, see its status`,
        )
      const witness = openWitness(to, sealKey)
      const there = await witness.read()
      if (there && !whole.knows(there)) throw new Failure(`${to} holds the head of another journal`)
      await witness.write(whole.durable)
      whole.close()
      // `startWitness` may have made the previous place just now.
      const left = await keepWitnessPlace(home, sealKey, requireSignerFile(home), to)
      const warnings = [witnessWarning(home, to), earlierSnapshots(to), left].filter((each) => each !== null)
      const warning = warnings.join('. ')
      const { head, sequence } = whole.position
      printJson({ witness: to, journal: { head, sequence }, ...(warning ? { warning } : {}) })
    } finally {
      release()
    }
  },
}
