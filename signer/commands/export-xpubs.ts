/** `export-xpubs`: the keys from which the merchant re-derives every address that the platform shows. */

import { homeAt } from '../home/home.js'
import { requireSignerFile } from '../home/signer-file.js'
import { type Command, homeOption, printJson, readOptions } from './command.js'

const help = `keyturn-signer export-xpubs --home DIR

Prints {merchant_id, networks: [{network, role, path, xpub, master_fingerprint}]}. Give it
to the merchant's backend: its client re-derives every address that the platform returns
and refuses one that differs.

  --home DIR   directory of this signer (also KEYTURN_SIGNER_HOME)`

/** The command. */
export const exportXpubsCommand: Command = {
  help,
  async run(args) {
    const { home } = readOptions(args, { home: { type: 'string' } })
    const signer = requireSignerFile(homeAt(homeOption(home)))
    printJson({ merchant_id: signer.merchant_id, networks: signer.xpubs })
  },
}
