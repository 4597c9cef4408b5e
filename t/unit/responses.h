
/* Written by t/browser/responses.mjs, which says how they come about. */

#ifndef _RESPONSES_H_INCLUDED_
#define _RESPONSES_H_INCLUDED_


/* the response, and the members of ngx_enroll_authenticator_t */

#define PLATFORM \
    "{\"authenticatorAttachment\":\"platform\",\"clientExtensionResult" \
    "s\":{},\"id\":\"RtsCe8e1hfCie7trxGSseC3gzCQ5-UJoJkxCeUZZ8GI\",\"ra" \
    "wId\":\"RtsCe8e1hfCie7trxGSseC3gzCQ5-UJoJkxCeUZZ8GI\",\"response" \
    "\":{\"attestationObject\":\"o2NmbXRkbm9uZWdhdHRTdG10oGhhdXRoRGF0" \
    "YVikSZYN5YgOjGh0NBcPZHZgW4_krrmihjLHmVzzuoMdl2NFAAAAAQECAwQF" \
    "BgcIAQIDBAUGBwgAIEbbAnvHtYXwonu7a8RkrHgt4MwkOflCaCZMQnlGWfBi" \
    "pQECAyYgASFYIAuDWNe_Eip9sya9FvM_KyrbthlA6zffny5YbqD54G7_Ilgg" \
    "Ny2c9ZSEyrU8-n-2nDAcN8WRQ4XIdqZM8xB3ptBR1CQ\",\"authenticatorD" \
    "ata\":\"SZYN5YgOjGh0NBcPZHZgW4_krrmihjLHmVzzuoMdl2NFAAAAAQECAw" \
    "QFBgcIAQIDBAUGBwgAIEbbAnvHtYXwonu7a8RkrHgt4MwkOflCaCZMQnlGWf" \
    "BipQECAyYgASFYIAuDWNe_Eip9sya9FvM_KyrbthlA6zffny5YbqD54G7_Il" \
    "ggNy2c9ZSEyrU8-n-2nDAcN8WRQ4XIdqZM8xB3ptBR1CQ\",\"clientDataJS" \
    "ON\":\"eyJ0eXBlIjoid2ViYXV0aG4uY3JlYXRlIiwiY2hhbGxlbmdlIjoiYm0" \
    "5dVpTQnZaaUIwYUdWelpTQjNZWE1nYldGa1pTQm1iM0lnWVNCeVpXRnNJRzl" \
    "1WlEiLCJvcmlnaW4iOiJodHRwOi8vbG9jYWxob3N0OjgwODAiLCJjcm9zc09" \
    "yaWdpbiI6ZmFsc2UsIm90aGVyX2tleXNfY2FuX2JlX2FkZGVkX2hlcmUiOiJ" \
    "kbyBub3QgY29tcGFyZSBjbGllbnREYXRhSlNPTiBhZ2FpbnN0IGEgdGVtcGx" \
    "hdGUuIFNlZSBodHRwczovL2dvby5nbC95YWJQZXgifQ\",\"publicKey\":\"MF" \
    "kwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEC4NY178SKn2zJr0W8z8rKtu2GU" \
    "DrN9-fLlhuoPngbv83LZz1lITKtTz6f7acMBw3xZFDhch2pkzzEHem0FHUJA" \
    "\",\"publicKeyAlgorithm\":-7,\"transports\":[\"internal\"]},\"type\":" \
    "\"public-key\"}"

#define PLATFORM_FACTS \
    .credential = \
        "a4044a8268dde64d1e84f524b5582e4302d63300c46de3c0141744a6baeff91c", \
    .aaguid = "01020304-0506-0708-0102-030405060708", \
    .attestation = "none", \
    .transports = "internal", \
    .origin = "http://localhost:8080", \
    .user_present = 1, .user_verified = 1, \
    .backup_eligible = 0, .backed_up = 0

#define SYNCED \
    "{\"authenticatorAttachment\":\"platform\",\"clientExtensionResult" \
    "s\":{},\"id\":\"BnYttX8JL2WadWcZiKm0f1wPQ52A718wC3-ooF4-xcg\",\"ra" \
    "wId\":\"BnYttX8JL2WadWcZiKm0f1wPQ52A718wC3-ooF4-xcg\",\"response" \
    "\":{\"attestationObject\":\"o2NmbXRkbm9uZWdhdHRTdG10oGhhdXRoRGF0" \
    "YVikSZYN5YgOjGh0NBcPZHZgW4_krrmihjLHmVzzuoMdl2NdAAAAAQECAwQF" \
    "BgcIAQIDBAUGBwgAIAZ2LbV_CS9lmnVnGYiptH9cD0OdgO9fMAt_qKBePsXI" \
    "pQECAyYgASFYINtT0hbgURRmfYR8RcXgnKipKWE1KwiHUvMtpRcvGlj-Ilgg" \
    "UXGz06atmgXCUmMs4FNYhAaGNcSvrM7VvhqMm-mKm14\",\"authenticatorD" \
    "ata\":\"SZYN5YgOjGh0NBcPZHZgW4_krrmihjLHmVzzuoMdl2NdAAAAAQECAw" \
    "QFBgcIAQIDBAUGBwgAIAZ2LbV_CS9lmnVnGYiptH9cD0OdgO9fMAt_qKBePs" \
    "XIpQECAyYgASFYINtT0hbgURRmfYR8RcXgnKipKWE1KwiHUvMtpRcvGlj-Il" \
    "ggUXGz06atmgXCUmMs4FNYhAaGNcSvrM7VvhqMm-mKm14\",\"clientDataJS" \
    "ON\":\"eyJ0eXBlIjoid2ViYXV0aG4uY3JlYXRlIiwiY2hhbGxlbmdlIjoiYm0" \
    "5dVpTQnZaaUIwYUdWelpTQjNZWE1nYldGa1pTQm1iM0lnWVNCeVpXRnNJRzl" \
    "1WlEiLCJvcmlnaW4iOiJodHRwOi8vbG9jYWxob3N0OjgwODAiLCJjcm9zc09" \
    "yaWdpbiI6ZmFsc2V9\",\"publicKey\":\"MFkwEwYHKoZIzj0CAQYIKoZIzj0D" \
    "AQcDQgAE21PSFuBRFGZ9hHxFxeCcqKkpYTUrCIdS8y2lFy8aWP5RcbPTpq2a" \
    "BcJSYyzgU1iEBoY1xK-sztW-Goyb6YqbXg\",\"publicKeyAlgorithm\":-7," \
    "\"transports\":[\"internal\"]},\"type\":\"public-key\"}"

#define SYNCED_FACTS \
    .credential = \
        "1fc5417acb6edb039fbbc4fc6fd68de19c978cb270b267651d8c6255365b8bc5", \
    .aaguid = "01020304-0506-0708-0102-030405060708", \
    .attestation = "none", \
    .transports = "internal", \
    .origin = "http://localhost:8080", \
    .user_present = 1, .user_verified = 1, \
    .backup_eligible = 1, .backed_up = 1

#define ELIGIBLE \
    "{\"authenticatorAttachment\":\"cross-platform\",\"clientExtension" \
    "Results\":{},\"id\":\"z_rjFJKE4jflIIjJoovb58G-lU1uX-fsmBT0fky-1Q" \
    "k\",\"rawId\":\"z_rjFJKE4jflIIjJoovb58G-lU1uX-fsmBT0fky-1Qk\",\"re" \
    "sponse\":{\"attestationObject\":\"o2NmbXRmcGFja2VkZ2F0dFN0bXSjY2" \
    "FsZyZjc2lnWEcwRQIgZI2D6gMH4c49xZm_GGj0iLEFmZRyhGfhgPo73BMgW4" \
    "UCIQCPeEL71vBxvRxwG7AaBGOB6QyDOVDrW36lAaOxbKJVy2N4NWOBWQHZMI" \
    "IB1TCCAXqgAwIBAgIBATAKBggqhkjOPQQDAjBgMQswCQYDVQQGEwJVUzERMA" \
    "8GA1UECgwIQ2hyb21pdW0xIjAgBgNVBAsMGUF1dGhlbnRpY2F0b3IgQXR0ZX" \
    "N0YXRpb24xGjAYBgNVBAMMEUJhdGNoIENlcnRpZmljYXRlMB4XDTE3MDcxND" \
    "AyNDAwMFoXDTQ2MTExNzE4MzAzOVowYDELMAkGA1UEBhMCVVMxETAPBgNVBA" \
    "oMCENocm9taXVtMSIwIAYDVQQLDBlBdXRoZW50aWNhdG9yIEF0dGVzdGF0aW" \
    "9uMRowGAYDVQQDDBFCYXRjaCBDZXJ0aWZpY2F0ZTBZMBMGByqGSM49AgEGCC" \
    "qGSM49AwEHA0IABI1hfmXJUI5kvMVnOsgqZ5naPBRGaCwljEY__99Y39L6Pm" \
    "w3i1PXlcSk3_tBme3Xhi8jq68CA7S4kRugVpmU4QGjJTAjMAwGA1UdEwEB_w" \
    "QCMAAwEwYLKwYBBAGC5RwCAQEEBAMCBkAwCgYIKoZIzj0EAwIDSQAwRgIhAP" \
    "-Cnl5_zWuyn5_hJsmtitBN7uxGyQ8LN-5Zqqu7bmkmAiEAzjzaGbguFtZjbL" \
    "-UIeARQXpj-MDLCJOgS-0EnZxcr8JoYXV0aERhdGFYpEmWDeWIDoxodDQXD2" \
    "R2YFuP5K65ooYyx5lc87qDHZdjTQAAAAEBAgMEBQYHCAECAwQFBgcIACDP-u" \
    "MUkoTiN-UgiMmii9vnwb6VTW5f5-yYFPR-TL7VCaUBAgMmIAEhWCBR1pb4JC" \
    "RYOTOXLXD6ZP-ZHsA3KOu7ESX3d_HOQVfttCJYIExMUh2BzgizrdCLioER0d" \
    "gEiQIBdlUeTdM-Sv0IBzLP\",\"authenticatorData\":\"SZYN5YgOjGh0NBc" \
    "PZHZgW4_krrmihjLHmVzzuoMdl2NNAAAAAQECAwQFBgcIAQIDBAUGBwgAIM_" \
    "64xSShOI35SCIyaKL2-fBvpVNbl_n7JgU9H5MvtUJpQECAyYgASFYIFHWlvg" \
    "kJFg5M5ctcPpk_5kewDco67sRJfd38c5BV-20IlggTExSHYHOCLOt0IuKgRH" \
    "R2ASJAgF2VR5N0z5K_QgHMs8\",\"clientDataJSON\":\"eyJ0eXBlIjoid2Vi" \
    "YXV0aG4uY3JlYXRlIiwiY2hhbGxlbmdlIjoiYm05dVpTQnZaaUIwYUdWelpT" \
    "QjNZWE1nYldGa1pTQm1iM0lnWVNCeVpXRnNJRzl1WlEiLCJvcmlnaW4iOiJo" \
    "dHRwOi8vbG9jYWxob3N0OjgwODAiLCJjcm9zc09yaWdpbiI6ZmFsc2UsIm90" \
    "aGVyX2tleXNfY2FuX2JlX2FkZGVkX2hlcmUiOiJkbyBub3QgY29tcGFyZSBj" \
    "bGllbnREYXRhSlNPTiBhZ2FpbnN0IGEgdGVtcGxhdGUuIFNlZSBodHRwczov" \
    "L2dvby5nbC95YWJQZXgifQ\",\"publicKey\":\"MFkwEwYHKoZIzj0CAQYIKoZ" \
    "Izj0DAQcDQgAEUdaW-CQkWDkzly1w-mT_mR7ANyjruxEl93fxzkFX7bRMTFI" \
    "dgc4Is63Qi4qBEdHYBIkCAXZVHk3TPkr9CAcyzw\",\"publicKeyAlgorithm" \
    "\":-7,\"transports\":[\"ble\",\"hybrid\"]},\"type\":\"public-key\"}"

#define ELIGIBLE_FACTS \
    .credential = \
        "8175e88c86df27dfdb885bebbae4686d7d3f6d985bdd943c36a5828284c3ef80", \
    .aaguid = "01020304-0506-0708-0102-030405060708", \
    .attestation = "packed", \
    .transports = "ble,hybrid", \
    .origin = "http://localhost:8080", \
    .user_present = 1, .user_verified = 1, \
    .backup_eligible = 1, .backed_up = 0

#define SECURITY_KEY \
    "{\"authenticatorAttachment\":\"cross-platform\",\"clientExtension" \
    "Results\":{},\"id\":\"HGh2dYnKPhys17yn7gh6ybooXNsnJZdJfupOKv8lIi" \
    "o\",\"rawId\":\"HGh2dYnKPhys17yn7gh6ybooXNsnJZdJfupOKv8lIio\",\"re" \
    "sponse\":{\"attestationObject\":\"o2NmbXRmcGFja2VkZ2F0dFN0bXSjY2" \
    "FsZyZjc2lnWEcwRQIgES6HYbOyRLE1BfFisCdI6C9taXCoqHXUUwgQ3KpHF4" \
    "ICIQDH1oVXdKL1l9-7JTr8C2xTV9w_iH2OMphEeQomVpyJq2N4NWOBWQHZMI" \
    "IB1TCCAXqgAwIBAgIBATAKBggqhkjOPQQDAjBgMQswCQYDVQQGEwJVUzERMA" \
    "8GA1UECgwIQ2hyb21pdW0xIjAgBgNVBAsMGUF1dGhlbnRpY2F0b3IgQXR0ZX" \
    "N0YXRpb24xGjAYBgNVBAMMEUJhdGNoIENlcnRpZmljYXRlMB4XDTE3MDcxND" \
    "AyNDAwMFoXDTQ2MTExNzE4MzAzOVowYDELMAkGA1UEBhMCVVMxETAPBgNVBA" \
    "oMCENocm9taXVtMSIwIAYDVQQLDBlBdXRoZW50aWNhdG9yIEF0dGVzdGF0aW" \
    "9uMRowGAYDVQQDDBFCYXRjaCBDZXJ0aWZpY2F0ZTBZMBMGByqGSM49AgEGCC" \
    "qGSM49AwEHA0IABI1hfmXJUI5kvMVnOsgqZ5naPBRGaCwljEY__99Y39L6Pm" \
    "w3i1PXlcSk3_tBme3Xhi8jq68CA7S4kRugVpmU4QGjJTAjMAwGA1UdEwEB_w" \
    "QCMAAwEwYLKwYBBAGC5RwCAQEEBAMCBSAwCgYIKoZIzj0EAwIDSQAwRgIhAO" \
    "zsonZHk2AlgfTra_eVEShinh-k0LxBWaPjTW2D_1ZUAiEA3WL_PMwSFncznN" \
    "46F-qzbra2vzCbA0VPeA5XZaaAu5JoYXV0aERhdGFYpEmWDeWIDoxodDQXD2" \
    "R2YFuP5K65ooYyx5lc87qDHZdjQQAAAAEBAgMEBQYHCAECAwQFBgcIACAcaH" \
    "Z1ico-HKzXvKfuCHrJuihc2ycll0l-6k4q_yUiKqUBAgMmIAEhWCDGwDe5Ow" \
    "dJKHLABgJkfSA744w_GvG-V_nP189H4KUGQyJYIIzQVCnA7MlbA6VxyZSh40" \
    "TUlvma_uWJU1mtisxEgGzH\",\"authenticatorData\":\"SZYN5YgOjGh0NBc" \
    "PZHZgW4_krrmihjLHmVzzuoMdl2NBAAAAAQECAwQFBgcIAQIDBAUGBwgAIBx" \
    "odnWJyj4crNe8p-4Iesm6KFzbJyWXSX7qTir_JSIqpQECAyYgASFYIMbAN7k" \
    "7B0kocsAGAmR9IDvjjD8a8b5X-c_Xz0fgpQZDIlggjNBUKcDsyVsDpXHJlKH" \
    "jRNSW-Zr-5YlTWa2KzESAbMc\",\"clientDataJSON\":\"eyJ0eXBlIjoid2Vi" \
    "YXV0aG4uY3JlYXRlIiwiY2hhbGxlbmdlIjoiYm05dVpTQnZaaUIwYUdWelpT" \
    "QjNZWE1nYldGa1pTQm1iM0lnWVNCeVpXRnNJRzl1WlEiLCJvcmlnaW4iOiJo" \
    "dHRwOi8vbG9jYWxob3N0OjgwODAiLCJjcm9zc09yaWdpbiI6ZmFsc2V9\",\"p" \
    "ublicKey\":\"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAExsA3uTsHSShyw" \
    "AYCZH0gO-OMPxrxvlf5z9fPR-ClBkOM0FQpwOzJWwOlccmUoeNE1Jb5mv7li" \
    "VNZrYrMRIBsxw\",\"publicKeyAlgorithm\":-7,\"transports\":[\"usb\"]}" \
    ",\"type\":\"public-key\"}"

#define SECURITY_KEY_FACTS \
    .credential = \
        "891c678f1bbbd83bbb6ae163847da29dca1e1cd586b7bec54f6d738faa234912", \
    .aaguid = "01020304-0506-0708-0102-030405060708", \
    .attestation = "packed", \
    .transports = "usb", \
    .origin = "http://localhost:8080", \
    .user_present = 1, .user_verified = 0, \
    .backup_eligible = 0, .backed_up = 0

#define U2F \
    "{\"authenticatorAttachment\":\"cross-platform\",\"clientExtension" \
    "Results\":{},\"id\":\"xUgMcDm6QtbtYxINzM0Awf02aGhSekZEJJV1rovM6b" \
    "E\",\"rawId\":\"xUgMcDm6QtbtYxINzM0Awf02aGhSekZEJJV1rovM6bE\",\"re" \
    "sponse\":{\"attestationObject\":\"o2NmbXRoZmlkby11MmZnYXR0U3RtdK" \
    "Jjc2lnWEYwRAIgC_TagPU12JZZmEBsobDdtHdfjsymuNbNwTLsQjTN1woCID" \
    "UuRRQIUzg7L6lYeq-zn6d4XwKDw5pY0UNp_xSpf2hYY3g1Y4FZAdgwggHUMI" \
    "IBeqADAgECAgEBMAoGCCqGSM49BAMCMGAxCzAJBgNVBAYTAlVTMREwDwYDVQ" \
    "QKDAhDaHJvbWl1bTEiMCAGA1UECwwZQXV0aGVudGljYXRvciBBdHRlc3RhdG" \
    "lvbjEaMBgGA1UEAwwRQmF0Y2ggQ2VydGlmaWNhdGUwHhcNMTcwNzE0MDI0MD" \
    "AwWhcNNDYxMTE3MTgzMDM5WjBgMQswCQYDVQQGEwJVUzERMA8GA1UECgwIQ2" \
    "hyb21pdW0xIjAgBgNVBAsMGUF1dGhlbnRpY2F0b3IgQXR0ZXN0YXRpb24xGj" \
    "AYBgNVBAMMEUJhdGNoIENlcnRpZmljYXRlMFkwEwYHKoZIzj0CAQYIKoZIzj" \
    "0DAQcDQgAEjWF-ZclQjmS8xWc6yCpnmdo8FEZoLCWMRj__31jf0vo-bDeLU9" \
    "eVxKTf-0GZ7deGLyOrrwIDtLiRG6BWmZThAaMlMCMwDAYDVR0TAQH_BAIwAD" \
    "ATBgsrBgEEAYLlHAIBAQQEAwIEEDAKBggqhkjOPQQDAgNIADBFAiB2KhbqoG" \
    "JKJDsYREj82e6L2_ku8YTYTu3YCled9CdOwwIhANknGL48TCoYOjFHI7_5Sp" \
    "hDAtnW9ogArUl1tNwcCIVDaGF1dGhEYXRhWKRJlg3liA6MaHQ0Fw9kdmBbj-" \
    "SuuaKGMseZXPO6gx2XY0EAAAAAAAAAAAAAAAAAAAAAAAAAAAAgxUgMcDm6Qt" \
    "btYxINzM0Awf02aGhSekZEJJV1rovM6bGlAQIDJiABIVggg9ZM6rD_-drMFC" \
    "QFWv9pRZ05BMJ1cV0PPZsr0wOQ7FoiWCBJtRFQwgByq914AUju2zZL_RwsD_" \
    "N7Z9dYoeXTUASiuQ\",\"authenticatorData\":\"SZYN5YgOjGh0NBcPZHZgW" \
    "4_krrmihjLHmVzzuoMdl2NBAAAAAAAAAAAAAAAAAAAAAAAAAAAAIMVIDHA5u" \
    "kLW7WMSDczNAMH9NmhoUnpGRCSVda6LzOmxpQECAyYgASFYIIPWTOqw__naz" \
    "BQkBVr_aUWdOQTCdXFdDz2bK9MDkOxaIlggSbURUMIAcqvdeAFI7ts2S_0cL" \
    "A_ze2fXWKHl01AEork\",\"clientDataJSON\":\"eyJ0eXBlIjoid2ViYXV0aG" \
    "4uY3JlYXRlIiwiY2hhbGxlbmdlIjoiYm05dVpTQnZaaUIwYUdWelpTQjNZWE" \
    "1nYldGa1pTQm1iM0lnWVNCeVpXRnNJRzl1WlEiLCJvcmlnaW4iOiJodHRwOi" \
    "8vbG9jYWxob3N0OjgwODAiLCJjcm9zc09yaWdpbiI6ZmFsc2V9\",\"publicK" \
    "ey\":\"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEg9ZM6rD_-drMFCQFWv9" \
    "pRZ05BMJ1cV0PPZsr0wOQ7FpJtRFQwgByq914AUju2zZL_RwsD_N7Z9dYoeX" \
    "TUASiuQ\",\"publicKeyAlgorithm\":-7,\"transports\":[\"nfc\"]},\"type" \
    "\":\"public-key\"}"

#define U2F_FACTS \
    .credential = \
        "045869d7b942f7a2d50c376e2088f133f563ba4ae9e8a3fd573ed01afdadb01b", \
    .aaguid = "00000000-0000-0000-0000-000000000000", \
    .attestation = "fido-u2f", \
    .transports = "nfc", \
    .origin = "http://localhost:8080", \
    .user_present = 1, .user_verified = 0, \
    .backup_eligible = 0, .backed_up = 0

#define EXTENSIONS \
    "{\"authenticatorAttachment\":\"platform\",\"clientExtensionResult" \
    "s\":{\"credProps\":{\"rk\":true}},\"id\":\"R-qQzuVnO2fgqSFOQDUGBIqgR" \
    "hlJOy-yTtf44BztNr4\",\"rawId\":\"R-qQzuVnO2fgqSFOQDUGBIqgRhlJOy-" \
    "yTtf44BztNr4\",\"response\":{\"attestationObject\":\"o2NmbXRkbm9uZ" \
    "WdhdHRTdG10oGhhdXRoRGF0YViySZYN5YgOjGh0NBcPZHZgW4_krrmihjLHm" \
    "VzzuoMdl2PFAAAAAQECAwQFBgcIAQIDBAUGBwgAIEfqkM7lZztn4KkhTkA1B" \
    "gSKoEYZSTsvsk7X-OAc7Ta-pQECAyYgASFYIBDlrqm7v8wjzJxxp4DDoWgIL" \
    "ZcRsvSkHzUuN2JkqeBjIlggusjfnx1OWM2qkt6nXyOHXYtvKuaogIePAXMmG" \
    "5GRu1Sha2NyZWRQcm90ZWN0Aw\",\"authenticatorData\":\"SZYN5YgOjGh0" \
    "NBcPZHZgW4_krrmihjLHmVzzuoMdl2PFAAAAAQECAwQFBgcIAQIDBAUGBwgA" \
    "IEfqkM7lZztn4KkhTkA1BgSKoEYZSTsvsk7X-OAc7Ta-pQECAyYgASFYIBDl" \
    "rqm7v8wjzJxxp4DDoWgILZcRsvSkHzUuN2JkqeBjIlggusjfnx1OWM2qkt6n" \
    "XyOHXYtvKuaogIePAXMmG5GRu1Sha2NyZWRQcm90ZWN0Aw\",\"clientDataJ" \
    "SON\":\"eyJ0eXBlIjoid2ViYXV0aG4uY3JlYXRlIiwiY2hhbGxlbmdlIjoiYm" \
    "05dVpTQnZaaUIwYUdWelpTQjNZWE1nYldGa1pTQm1iM0lnWVNCeVpXRnNJRz" \
    "l1WlEiLCJvcmlnaW4iOiJodHRwOi8vbG9jYWxob3N0OjgwODAiLCJjcm9zc0" \
    "9yaWdpbiI6ZmFsc2V9\",\"publicKey\":\"MFkwEwYHKoZIzj0CAQYIKoZIzj0" \
    "DAQcDQgAEEOWuqbu_zCPMnHGngMOhaAgtlxGy9KQfNS43YmSp4GO6yN-fHU5" \
    "YzaqS3qdfI4ddi28q5qiAh48BcyYbkZG7VA\",\"publicKeyAlgorithm\":-7" \
    ",\"transports\":[\"internal\"]},\"type\":\"public-key\"}"

#define EXTENSIONS_FACTS \
    .credential = \
        "a2dd5133bb6575a52e3e283a46ecf8875029a10beed76461b7ea1abf7e0475e4", \
    .aaguid = "01020304-0506-0708-0102-030405060708", \
    .attestation = "none", \
    .transports = "internal", \
    .origin = "http://localhost:8080", \
    .user_present = 1, .user_verified = 1, \
    .backup_eligible = 0, .backed_up = 0


#endif /* _RESPONSES_H_INCLUDED_ */
