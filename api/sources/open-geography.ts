/** Where requests come from, by a MaxMind database (GeoLite2 or GeoIP2, Country or City). */

import { type CountryResponse, open } from 'maxmind'

export interface Geography {
  /** ISO 3166-1 alpha-2 of an IP address, or null where the database does not know. */
  country(ip: string): string | null
}

/** Opens the database and follows its updates. @throws when the file is not one. */
export async function openGeography(path: string): Promise<Geography> {
  const reader = await open<CountryResponse>(path, {
    watchForUpdates: true,
    watchForUpdatesNonPersistent: true,
  })
  return {
    country(ip) {
      const found = reader.get(ip)
      return found?.country?.iso_code ?? found?.registered_country?.iso_code ?? null
    },
  }
}
