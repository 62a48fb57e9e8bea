"""What the user sees of each fault: tests produce every one of them, and `docs/archives.md` has this table."""

from __future__ import annotations

SEEN = {
    "wrong AE title of the archive": "127.0.0.1 does not know the AE title NOBODY. "
    "Check the AE titles with the administrator of the archive.",
    "unknown AE title of this program, refused at once": "127.0.0.1 does not know the calling AE title WEBIPRED. "
    "Check the AE titles with the administrator of the archive.",
    "unknown AE title of this program, refused later": "The archive dimse does not allow STRANGER to do this, "
    "or does not answer. Ask its administrator to allow this AE title.",
    "too many connections": "127.0.0.1 has too many connections at the moment. Try again later.",
    "wrong password": "The archive web does not accept the user or password. Check them.",
    "nothing listens at the port": "127.0.0.1 cannot be reached at port {port}. "
    "Check the address, and that the archive runs.",
    "no such computer": "There is no computer nowhere.invalid in the network. Check the address.",
    "mute server": "127.0.0.1 has sent nothing for 1 seconds. Try again later.",
    "mute server, by DIMSE": "127.0.0.1 at port {port} does not answer. Try again later.",
    "server that dies while it sends images": "The connection to 127.0.0.1 broke off. Try again.",
    "server that dies while it sends images, by DIMSE": "The connection to 127.0.0.1 broke off. Try again.",
    "certificate of an unknown authority": "localhost is not trusted: its certificate is signed by nobody "
    "who is trusted. Choose the CA file of the archive.",
    "certificate of another host": "127.0.0.1 is not trusted: its certificate is of another host. "
    "Use the name that stands in the certificate.",
    "redirect to another host": "127.0.0.1 sends requests on to another address, which is not followed. "
    "Give the final address.",
    "address of something else": "127.0.0.1 answers at this address, but not as DICOMweb does. "
    "Check the address: it often ends in /dicom-web or /rs.",
    "error of the server": "The archive web failed (HTTP 503). Try again, or ask its administrator.",
    "image that the archive has lost, or an address without DICOMweb": "127.0.0.1 does not have this, "
    "or no DICOMweb at this address. Check the address.",
    "image that is cut short": "The file is cut short. Choose another file, or download or copy this one again.",
}
OTHERWISE = {
    "10,000 matches": "The first 100, and more on the next page. Of very many, 10,000 are looked through.",
    "the same identifier twice": "One image: the first that comes.",
    "names with umlauts or in Japanese": "They are found and shown in any script.",
    "one of many images fails": "Its row has the error; the others are classified.",
    "Cancel, also while a server is mute": "It ends within a second, and nothing is left on the disk.",
}


def table() -> str:
    """The table of the documentation."""
    lines = ["| fault | what you see |", "|---|---|"]
    lines += [f"| {fault} | {said.format(port=104)} |" for fault, said in {**SEEN, **OTHERWISE}.items()]
    return "\n".join(lines)
