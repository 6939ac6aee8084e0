/** `unlock`: the operator accepts that a part of the journal is lost. */

import { existsSync, readFileSync, rmSync } from 'node:fs'
import { z } from 'zod'
import { Failure } from '../failure.js'
import { claimHome } from '../home/claim-home.js'
import { homeAt } from '../home/home.js'
import { openHomeJournal } from '../home/open-home.js'
import { requireSignerFile } from '../home/signer-file.js'
import { type Command, homeOption, printJson, readOptions, requireOption } from './command.js'

const help = `keyturn-signer unlock --home DIR --head HEAD

Opens a signer that locked itself because the platform saw journal entries that are not
here. Restore the newest journal instead wherever you can. Stop the signer first.

What was signed in the lost part is not known any more, so from now on only intents that
are created later are new; older ones that this journal does not hold are refused. What
was paid in the lost part is missing in the rolling limits for 24 hours.

  --home DIR    directory of this signer (also KEYTURN_SIGNER_HOME)
  --head HEAD   the platform's known head, as \`status\` shows it under "locked": typing it
                confirms that you compared it with the platform's operator`

const lockSchema = z.object({
  known: z.object({ head: z.string().regex(/^[0-9a-f]{64}$/), sequence: z.int().min(0) }),
})

/** The command. */
export const unlockCommand: Command = {
  help,
  async run(args) {
    const options = readOptions(args, { home: { type: 'string' }, head: { type: 'string' } })
    const home = homeAt(homeOption(options.home))
    requireSignerFile(home)
    const head = requireOption(options.head, 'head')
    if (!existsSync(home.locked)) throw new Failure('The signer is not locked')
    const release = claimHome(home)
    try {
      const lock = lockSchema.parse(JSON.parse(readFileSync(home.locked, 'utf8')))
      if (lock.known.head !== head)
        throw new Failure(`The platform's known head is ${lock.known.head}, not ${head}`)
      const journal = openHomeJournal(home, 'write')
      // With the right journal in place again there is nothing to accept.
      if (!journal.knows(lock.known)) {
        journal.append({ type: 'unlocked', known_head: lock.known.head, known_sequence: lock.known.sequence })
      }
      journal.sync()
      const { head: newHead, sequence } = journal.durable
      journal.close()
      rmSync(home.locked)
      printJson({ unlocked: true, journal: { head: newHead, sequence } })
    } finally {
      release()
    }
  },
}
