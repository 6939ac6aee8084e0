/** `show-mnemonic`: shows the words of the seed, on a terminal only. */

import { existsSync, readFileSync } from 'node:fs'
import { Failure } from '../failure.js'
import { homeAt } from '../home/home.js'
import { readPassphrase } from '../home/read-passphrase.js'
import { openKeys } from '../home/seal-keys.js'
import { type Command, homeOption, readOptions } from './command.js'

const help = `keyturn-signer show-mnemonic --home DIR

Shows the 24 words of the seed. Write them on paper and keep them where neither this
machine nor its backups are: without them a lost key file or passphrase is the loss of
all coins.

  --home DIR               directory of this signer (also KEYTURN_SIGNER_HOME)
  --passphrase-file FILE   else KEYTURN_SIGNER_PASSPHRASE, else asked for`

/** The `show-mnemonic` command. */
export const showMnemonicCommand: Command = {
  help,
  async run(args) {
    const options = readOptions(args, { home: { type: 'string' }, 'passphrase-file': { type: 'string' } })
    const home = homeAt(homeOption(options.home))
    if (!process.stdout.isTTY) {
      throw new Failure('show-mnemonic writes to a terminal only, so that the words end in no file')
    }
    if (!existsSync(home.keys)) {
      throw new Failure(`${home.directory} holds no keys; run keyturn-signer init first`)
    }
    const passphrase = await readPassphrase(options['passphrase-file'])
    process.stdout.write(`\n${openKeys(readFileSync(home.keys, 'utf8'), passphrase).mnemonic}\n\n`)
  },
}
