/** Addresses: where users of a merchant pay to. */

import { z } from 'zod'
import { pagingFields } from './paging.js'

export const Address = z
  .object({
    id: z.string().meta({ example: 'addr_0193…' }),
    address: z.string().meta({ description: "In the network's canonical form." }),
    network: z.string().meta({ example: 'bitcoin' }),
    user_reference: z
      .string()
      .nullable()
      .meta({ description: "The merchant's own name of the user. `null` for the merchant's own wallets." }),
    label: z.string().nullable(),
    kind: z.enum(['deposit', 'change', 'master', 'hot', 'gas']),
    derivation_path: z.string().meta({ example: "m/84'/0'/0'/0/7" }),
    created_at: z.iso.datetime(),
  })
  .meta({ id: 'Address', description: "An address that the merchant's signer holds the key of." })
export type Address = z.infer<typeof Address>

/** The body of `POST /addresses`. */
export const NewAddress = z
  .strictObject({
    user_reference: z.string().min(1).max(255),
    network: z.string().min(1).max(31),
    label: z.string().max(255).optional(),
    new: z
      .boolean()
      .default(false)
      .meta({ description: 'True requests another address although the user has one.' }),
  })
  .meta({ description: 'Requests the address of a user on a network.' })
export type NewAddress = z.input<typeof NewAddress>

/** The query of `GET /addresses`. */
export const AddressFilter = z.strictObject({
  ...pagingFields,
  user_reference: z.string().optional(),
  network: z.string().optional(),
  address: z.string().optional(),
})
export type AddressFilter = z.input<typeof AddressFilter>
