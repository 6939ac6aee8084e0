/** `export-xpubs`: prints the keys from which the merchant derives every address that the platform shows. */

import { assertNever } from '../../domain/assert-never.js'
import type { ExportedXpub, SpendableAddresses } from '../../domain/signing/signer-protocol.js'
import { homeAt } from '../home/home.js'
import { requireSignerFile } from '../home/signer-file.js'
import type { PolicyNetworkFile } from '../policy/policy.js'
import { type Command, homeOption, printJson, readOptions } from './command.js'
import { loadPolicy } from './export-policy.js'

const help = `keyturn-signer export-xpubs --home DIR

Prints {merchant_id, networks: [{network, role, path, xpub, master_fingerprint, max_index,
addresses}]}. Give it to the merchant's backend: its client derives every address that the
platform returns, and refuses one that differs or that this signer's policy cannot spend
from. Export it again after you changed max_address_index or added a network.

  --home DIR   directory of this signer (also KEYTURN_SIGNER_HOME)`

/** The `export-xpubs` command. */
export const exportXpubsCommand: Command = {
  help,
  async run(args) {
    const { home } = readOptions(args, { home: { type: 'string' } })
    const files = homeAt(homeOption(home))
    const signer = requireSignerFile(files)
    const { file } = loadPolicy(files.policy)
    const networks = signer.xpubs.map((xpub): ExportedXpub => {
      const network = Object.hasOwn(file.networks, xpub.network) ? file.networks[xpub.network] : undefined
      return network
        ? { ...xpub, max_index: network.max_address_index, addresses: addressesOf(network) }
        : { ...xpub, addresses: null }
    })
    printJson({ merchant_id: signer.merchant_id, networks })
  },
}

function addressesOf(network: PolicyNetworkFile): SpendableAddresses {
  switch (network.family) {
    case 'evm':
      return { form: 'evm' }
    case 'utxo': {
      const { bech32, cashaddr } = network.address
      return cashaddr === undefined
        ? { form: 'p2wpkh', prefix: bech32 }
        : { form: 'cashaddr', prefix: cashaddr }
    }
    default:
      return assertNever(network)
  }
}
